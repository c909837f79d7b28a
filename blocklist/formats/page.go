package formats

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// pageText reads the visible text of an HTML page, with a line for each block element. The text does not include the
// targets of links.
type pageText struct {
	page   *html.Tokenizer
	buf    []byte
	hidden atom.Atom // the current element with invisible text (script or style); 0: none
}

// maxToken is the maximum length of a tag or a text in a page, in bytes.
const maxToken = 1 << 20

func newPageText(r io.Reader) *pageText {
	p := &pageText{page: html.NewTokenizer(r)}
	p.page.SetMaxBuf(maxToken)
	return p
}

// Read implements [io.Reader].
func (p *pageText) Read(b []byte) (int, error) {
	for len(p.buf) == 0 {
		if p.page.Next() == html.ErrorToken {
			return 0, p.page.Err()
		}
		p.token(p.page.Token())
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	return n, nil
}

// token appends the visible text of a token. White space in text becomes a space; a block element becomes a line end.
func (p *pageText) token(t html.Token) {
	hides := t.DataAtom == atom.Script || t.DataAtom == atom.Style
	switch {
	case t.Type == html.TextToken && p.hidden == 0:
		p.buf = append(p.buf, strings.NewReplacer("\n", " ", "\r", " ", "\u00a0", " ").Replace(t.Data)...)
	case t.Type == html.StartTagToken && hides:
		p.hidden = t.DataAtom
	case t.Type == html.EndTagToken && t.DataAtom == p.hidden:
		p.hidden = 0
	case t.Type != html.TextToken && !inline(t.DataAtom):
		p.buf = append(p.buf, '\n')
	}
}

// inline reports whether an element is inside a line of text. A word may continue across its tags.
func inline(a atom.Atom) bool {
	return slices.Contains([]atom.Atom{
		atom.A, atom.Abbr, atom.B, atom.Em, atom.Font, atom.I, atom.Mark, atom.Small, atom.Span, atom.Strong, atom.Sub,
		atom.Sup, atom.U, atom.Wbr,
	}, a)
}
