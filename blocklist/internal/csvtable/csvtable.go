// Package csvtable reads tables that people export from spreadsheets: with or without a byte order mark, separated by
// commas, semicolons or tabs, rows of any length.
package csvtable

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

const byteOrderMark = "\xef\xbb\xbf"

// SkipMark skips a byte order mark.
func SkipMark(in *bufio.Reader) {
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		in.Discard(len(mark)) //nolint:errcheck // it was peeked
	}
}

// Read reads a table. It calls header with the first row, and then row with the number of the line and the fields of
// each other row, which are valid until the next call. It ends with the first error: of a function, of the reader, or
// [blocklist.ErrMalformed] for text that is no table.
func Read(in *bufio.Reader, header func([]string) error, row func(line int, fields []string) error) error {
	r := newReader(in)
	first, err := r.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return explain(err)
	}
	if err := header(first); err != nil {
		return err
	}
	for {
		fields, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return explain(err)
		}
		line, _ := r.FieldPos(0)
		if err := row(line, fields); err != nil {
			return err
		}
	}
}

// newReader returns a reader of a table. It reuses the slice of a row.
func newReader(in *bufio.Reader) *csv.Reader {
	SkipMark(in)
	separator := mostFrequent(in)
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord, r.Comma = -1, true, true, separator
	return r
}

// mostFrequent returns the separator that occurs most in the header: comma, semicolon or tab. In many countries
// spreadsheets write semicolons.
func mostFrequent(in *bufio.Reader) rune {
	start, _ := in.Peek(1 << 10) // the file may be shorter
	header, _, _ := strings.Cut(string(start), "\n")
	best := ','
	for _, s := range ";\t" {
		if strings.Count(header, string(s)) > strings.Count(header, string(best)) {
			best = s
		}
	}
	return best
}

// explain wraps an error of the reader in [blocklist.ErrMalformed], with its line number.
func explain(err error) error {
	if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("line %d: %w: %w", broken.Line, blocklist.ErrMalformed, broken.Err)
	}
	return err
}
