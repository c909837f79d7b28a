package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// maxDepth is the maximum nesting of sequences and mappings. Settings need five levels.
const maxDepth = 20

// document parses YAML text and returns the content of its only document. It returns nil if there is no document, or if
// the text is not valid.
func (r *reader) document(text []byte) *yaml.Node {
	if !r.decodes(text) {
		return nil
	}
	docs, err := documents(text)
	if err != nil {
		r.syntax(err)
		return nil
	}
	var body *yaml.Node
	for _, d := range docs {
		switch {
		case isNull(d):
		case body != nil:
			r.fail(positionOf(d), "a second document begins here; settings are one")
		default:
			body = d
		}
	}
	return body
}

func documents(text []byte) (docs []*yaml.Node, err error) {
	l, err := yaml.NewLoader(bytes.NewReader(anyVersion(text)),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, err
	}
	for {
		var d yaml.Node
		switch err := l.Load(&d); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		docs = append(docs, d.Content...)
	}
}

// versionDirective matches the YAML version directive at the beginning of a file.
var versionDirective = regexp.MustCompile(`^(?:\x{feff})?(?:[ \t]*(?:#.*)?\r?\n)*%YAML 1\.[0-3]\b`)

// anyVersion replaces any YAML version 1.x in the directive by 1.1, the only number that the library accepts. The
// library can parse all of these versions.
func anyVersion(text []byte) []byte {
	at := versionDirective.FindIndex(text)
	if at == nil {
		return text
	}
	text = bytes.Clone(text)
	text[at[1]-1] = '1'
	return text
}

// decodes reports whether text is UTF-8 without control characters. If not, it adds an error.
func (r *reader) decodes(text []byte) bool {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) ||
		bytes.IndexByte(text, 0) >= 0 {
		r.fail(position{}, "the file is UTF-16 or no text: save it as UTF-8")
		return false
	}
	at := position{line: 1}
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		at.column++
		switch {
		case c == utf8.RuneError && size == 1:
			r.fail(at, "this is not UTF-8: save the file as UTF-8")
			return false
		case c < ' ' && c != '\t' && c != '\r' && c != '\n', c == 0x7f:
			r.fail(at, "the control character %q is not allowed: take it out", c)
			return false
		case c == '\n':
			at = position{line: at.line + 1}
		}
		text = text[size:]
	}
	return true
}

// syntax adds an error for invalid YAML, with advice on how to correct it.
func (r *reader) syntax(err error) {
	why, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		r.fail(position{}, "%v", err)
		return
	}
	at := position{line: why.Mark.Line, column: why.Mark.Column}
	misplaced := strings.Contains(why.Message, "expected key") || strings.Contains(why.Message, "'-' indicator")
	if begins := why.ContextMark; begins.Line > 0 && begins.Line < at.line && !misplaced {
		at = position{line: begins.Line, column: begins.Column} // what is not closed is found where it begins
	}
	for _, known := range syntaxAdvice {
		if strings.Contains(why.Message, known.message) {
			r.fail(at, "%s", known.advice)
			return
		}
	}
	r.fail(at, "this is no YAML (%s): put a value with special characters in quotes", why.Message)
}

// syntaxAdvice is the advice for each kind of syntax error. A kind is recognized by a part of the library's message.
var syntaxAdvice = []struct{ message, advice string }{ //nolint:gochecknoglobals // a constant table
	{"',' or ']'", "a comma or ] is needed: close the list, and put a value with a bracket, a brace or a comma in quotes"},
	{"',' or '}'", "a comma or } is needed: close the brace, and put a value with a bracket, a brace or a comma in quotes"},
	{"mapping values are not allowed", "a colon and a blank are not allowed here: put the value in quotes, or write the key on a line of its own, under the key before"},
	{"mapping keys are not allowed", "a key is not allowed here: put the value in quotes"},
	{"block sequence entries", "a list item (-) is not allowed here: write it on a line of its own, under the key"},
	{"cannot start any token", "nothing begins with this character: put the value in quotes, and indent with blanks, not tabs"},
	{"tab", "a tab is not allowed here: indent with blanks"},
	{"unexpected end of stream", "a quote is opened here and never closed"},
	{"unknown escape character", `a backslash in double quotes begins an escape: write \\, or use single quotes`},
	{"unknown anchor", "a value that begins with * is an alias: put it in quotes"},
	{"alphabetic or numeric character", "a value that begins with * or & must be in quotes"},
	{"expected key", "the indentation does not fit: write the keys of one mapping one under the other"},
	{"'-' indicator", "the indentation does not fit: write the items of one list one under the other"},
	{"could not find expected ':'", "a key needs a colon and a value, like action: nxdomain"},
	{"exceeded max depth", "lists and mappings stand too deep in each other"},
	{"incompatible YAML", "of YAML, the versions 1.1 and 1.2 are read"},
	{"expected <document start>", "the settings end before this: they are one mapping, with its keys one under the other"},
}
