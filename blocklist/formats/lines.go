package formats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

const (
	bufferSize = blocklist.MaxLine + 2 // maximum length of a line in bytes, with CRLF
	bom        = "\xef\xbb\xbf"
)

// lines reads a text line by line, in bounded memory.
type lines struct {
	r      *bufio.Reader
	whole  string // buffered whole lines, each with its line end
	number int    // number of the last returned line, from 1
}

// next returns the next line, without its line end. For a line over the limit, ok is false. It returns io.EOF at the
// end, and [blocklist.ErrMalformed] if the text contains a NUL.
func (l *lines) next() (text string, ok bool, err error) {
	if l.whole == "" {
		if err := l.readWhole(); err != nil {
			return "", false, err
		}
	}
	if i := strings.IndexByte(l.whole, '\n'); i >= 0 {
		text, l.whole = l.whole[:i], l.whole[i+1:]
		l.number++
		text = strings.TrimSuffix(text, "\r")
		return text, len(text) <= blocklist.MaxLine, nil
	}
	return l.readOne()
}

// readWhole converts all complete lines in the reader's buffer to one string. Converting each line on its own would
// cost more than reading it.
func (l *lines) readWhole() error {
	buffered, _ := l.r.Peek(l.r.Buffered())
	end := bytes.LastIndexByte(buffered, '\n') + 1
	l.whole = string(buffered[:end])
	l.r.Discard(end) //nolint:errcheck // never fails: the bytes were peeked
	return l.checkText(buffered[:end])
}

// checkText returns an error if a part of the input contains a NUL byte: such input is not text.
func (l *lines) checkText(part []byte) error {
	before, _, found := bytes.Cut(part, []byte{0})
	if !found {
		return nil
	}
	line := l.number + 1 + bytes.Count(before, []byte("\n"))
	return fmt.Errorf("%w: there is a NUL in line %d: it is binary, not a list", blocklist.ErrMalformed, line)
}

// readOne reads one line that is not complete in the reader's buffer.
func (l *lines) readOne() (text string, ok bool, err error) {
	line, err := l.r.ReadSlice('\n')
	if len(line) == 0 && err != nil {
		return "", false, err
	}
	whole := !errors.Is(err, bufio.ErrBufferFull)
	for part := line; ; part, err = l.r.ReadSlice('\n') {
		if err := l.checkText(part); err != nil {
			return "", false, err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	l.number++
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	if !whole {
		return "", false, nil
	}
	text = string(trimEnd(line))
	return text, len(text) <= blocklist.MaxLine, nil
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// sampleLines is the maximum number of lines in a sample. Blank lines and comments do not count.
const sampleLines = 1000

// sample splits the prefix, the beginning of a file, into lines. Unless the prefix is the whole file, sample omits a
// last line without a line end, which may be incomplete.
func sample(prefix []byte, whole bool) []string {
	var out []string
	significant := 0
	for len(prefix) > 0 && significant < sampleLines {
		line, rest, ended := bytes.Cut(prefix, []byte("\n"))
		if !ended && !whole {
			break
		}
		text := string(trimEnd(line))
		if !blank(text) {
			significant++
		}
		out, prefix = append(out, text), rest
	}
	return out
}

// blank reports whether a line is empty, white space, or what most formats use as a comment.
func blank(line string) bool {
	for i := range len(line) {
		switch line[i] {
		case ' ', '\t':
		case '#', '!', ';':
			return true
		default:
			return strings.TrimSpace(line[i:]) == ""
		}
	}
	return true
}

// cutComment removes a comment: a # at the beginning or after white space, and the text after it.
func cutComment(line string) string {
	if strings.IndexByte(line, '#') < 0 {
		return strings.TrimSpace(line)
	}
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(line)
}

// isSetting reports whether a key may be the name of a setting in a configuration file.
func isSetting(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// shorten shortens outside text for a message.
func shorten(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
