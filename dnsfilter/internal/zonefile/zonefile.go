// Package zonefile splits zone files (RFC 1035, section 5.1) into entries and fields, in bounded memory. It reports a
// malformed entry and goes on reading.
package zonefile

import (
	"bufio"
	"errors"
	"io"
)

// MaxEntry is the maximum size of an entry, in bytes. An entry may span several lines.
const MaxEntry = 64 << 10

// Reasons why an entry is malformed.
const (
	tooLong    = "record longer than 64 KiB"
	badQuotes  = "quotation mark out of place"
	badParens  = "parenthesis out of place"
	unfinished = "parenthesis that is not closed"
)

// Scanner reads the entries of a zone file: records and directives. The exported fields are valid after Next.
type Scanner struct {
	Line      int    // number of the first line of the entry, counted from 1
	Lines     int    // number of lines read so far
	Continued bool   // the entry begins with a blank, so its owner is that of the previous record
	Malformed string // why the entry is malformed; empty: it is not

	r      *bufio.Reader
	text   []byte   // fields of the entry, one after another
	fields [][2]int // offsets of the fields in text
	depth  int      // number of open parentheses
	err    error
}

// NewScanner returns a scanner of the zone file that is read from r.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, MaxEntry)} }

// Err returns the error of reading after Next has returned false. It is nil at the end of the file.
func (s *Scanner) Err() error { return s.err }

// Next reads the next entry. It returns false at the end of the file and after an error of reading.
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

// readLine reads a line. For a line that is too long, it returns an empty line, and marks the entry as malformed.
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

// end records the error that ended reading, unless it is io.EOF. It returns false.
func (s *Scanner) end(err error) bool {
	if !errors.Is(err, io.EOF) {
		s.err = err
	}
	return false
}

// split adds the fields of a line to the entry. If the line is malformed, it returns the reason.
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

// fieldSize returns the size of the first field of a line, including the quotation marks of a quoted string. It returns
// 0 for a string without a closing quotation mark.
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

// Field returns the i-th field of the entry. It is valid until the next call of Next.
func (s *Scanner) Field(i int) []byte { return s.text[s.fields[i][0]:s.fields[i][1]] }
