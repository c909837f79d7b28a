// Package zonefile splits zone files (RFC 1035, section 5.1) into fields, in bounded memory. A malformed entry does not
// end the reading.
package zonefile

import (
	"bufio"
	"errors"
	"io"
)

// MaxEntry is the maximum size of an entry, in bytes. An entry may span several lines.
const MaxEntry = 64 << 10

// Reasons of malformed entries.
const (
	tooLong    = "record longer than 64 KiB"
	badQuotes  = "quotation mark out of place"
	badParens  = "parenthesis out of place"
	unfinished = "parenthesis that is not closed"
)

// Scanner reads the entries of a zone file: records and directives.
type Scanner struct {
	Line      int    // number of the entry's first line, from 1
	Lines     int    // lines read so far
	Continued bool   // the entry begins with a blank: its owner is that of the record before
	Malformed string // why the entry can't be read; empty: it was read

	r      *bufio.Reader
	text   []byte   // of the entry
	fields [][2]int // offsets in text
	depth  int      // open parentheses
	err    error
}

// NewScanner returns a scanner of a text.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, MaxEntry)} }

// Err returns the error that ended the reading, or nil at the end of the text.
func (s *Scanner) Err() error { return s.err }

// Next reads the next entry. It returns false at the end, and after an error of the reader.
func (s *Scanner) Next() bool {
	s.text, s.fields, s.depth, s.Malformed = s.text[:0], s.fields[:0], 0, ""
	for {
		line, ok := s.readLine()
		if !ok {
			if s.depth > 0 {
				s.Malformed = unfinished
			}
			return s.err == nil && s.Malformed != ""
		}
		if s.depth == 0 {
			s.Line = s.Lines
			s.Continued = len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		}
		if s.Malformed == "" {
			s.Malformed = s.split(line)
		}
		if s.Malformed != "" || s.depth == 0 && len(s.fields) > 0 {
			return true
		}
	}
}

// readLine reads a line. For a line that is too long, it returns an empty one.
func (s *Scanner) readLine() (line []byte, ok bool) {
	line, err := s.r.ReadSlice('\n')
	if len(line) == 0 && err != nil {
		return nil, s.end(err)
	}
	s.Lines++
	for errors.Is(err, bufio.ErrBufferFull) {
		s.Malformed, line = tooLong, nil
		_, err = s.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, s.end(err)
	}
	return line, true
}

// end records the error that ends the reading; io.EOF counts as none. It returns false, for Next.
func (s *Scanner) end(err error) bool {
	if !errors.Is(err, io.EOF) {
		s.err = err
	}
	return false
}

// split adds the fields of a line. If the line is malformed, it returns the reason.
func (s *Scanner) split(line []byte) (why string) {
	for i := 0; i < len(line); {
		switch line[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case ';':
			return ""
		case '(':
			s.depth++
			i++
		case ')':
			if s.depth--; s.depth < 0 {
				return badParens
			}
			i++
		default:
			n := fieldSize(line[i:])
			if n == 0 {
				return badQuotes
			}
			if len(s.text)+n > MaxEntry {
				return tooLong
			}
			s.fields = append(s.fields, [2]int{len(s.text), len(s.text) + n})
			s.text = append(s.text, line[i:i+n]...)
			i += n
		}
	}
	return ""
}

// fieldSize returns the size of the first field of a line, or 0 for a string without a closing quotation mark. The
// quotation marks of a string are part of the field.
func fieldSize(line []byte) int {
	quoted := line[0] == '"'
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case '\\':
			i++
		case '"':
			if quoted && i > 0 {
				return i + 1
			}
		case '\n':
			if quoted {
				return 0
			}
			return i
		case ' ', '\t', '\r', ';', '(', ')':
			if !quoted {
				return i
			}
		}
	}
	if quoted {
		return 0
	}
	return len(line)
}

// Len returns the number of fields of the entry.
func (s *Scanner) Len() int { return len(s.fields) }

// Field returns a field. It is valid until the next entry.
func (s *Scanner) Field(i int) []byte { return s.text[s.fields[i][0]:s.fields[i][1]] }
