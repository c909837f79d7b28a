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

// SkipMark skips the byte order mark at the start of the source, if there is one.
func SkipMark(source *bufio.Reader) {
	if mark, _ := source.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		source.Discard(len(mark)) //nolint:errcheck // it was peeked
	}
}

// Read reads a table. It calls header with the first row, which may be empty, and row with the line number and the
// fields of each other row. The fields are valid until row returns. Read stops at the first error: of header, of row,
// or of the source. For text that is not a table, the error wraps [blocklist.ErrMalformed].
func Read(source *bufio.Reader, header func([]string) error, row func(line int, fields []string) error) error {
	r := newReader(source)
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

// newReader returns a CSV reader for the table. Its Read returns the same slice for each row.
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

// explain adds the line number to a parse error of the CSV reader. The result wraps [blocklist.ErrMalformed]. Other
// errors stay the same.
func explain(err error) error {
	if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("line %d: %w: %w", broken.Line, blocklist.ErrMalformed, broken.Err)
	}
	return err
}
