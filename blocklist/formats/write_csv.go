package formats

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/csvtable"
)

// csvHeader returns the column names of a written table. The reader knows all of them.
func csvHeader() []string {
	return append(targetColumns(), "category", "ref", "status", "added", "expires", "review")
}

// csvWriter writes entries as rows of a table.
type csvWriter struct {
	buf bytes.Buffer
	out *csv.Writer
	row []string
}

func newCSVWriter() *csvWriter {
	w := &csvWriter{row: make([]string, len(csvHeader()))}
	w.out = csv.NewWriter(&w.buf)
	return w
}

// line is the [liner] of CSV. It puts the target into the column of its scope.
func (w *csvWriter) line(b []byte, e blocklist.Entry) []byte {
	if !fitsRow(e) {
		return nil
	}
	status := "block"
	if e.Monitor {
		status = "monitor"
	}
	targets := map[blocklist.Scope]int{
		blocklist.ScopeURL: 0, blocklist.ScopeHost: 1, blocklist.ScopeDomain: 2,
		blocklist.ScopeIP: 3,
	}
	clear(w.row)
	w.row[targets[e.Scope]] = strings.TrimPrefix(e.Target(), "=")
	copy(w.row[4:], []string{
		SpreadsheetCell(e.Category), SpreadsheetCell(e.Reference), status, dayText(e.Added),
		dayText(e.Expires), dayText(e.Review),
	})
	w.buf.Reset()
	w.out.Write(w.row) //nolint:errcheck // the buffer has no errors
	w.out.Flush()
	return append(b, w.buf.Bytes()...)
}

// fitsRow reports whether the CSV reader would accept a row with the entry.
func fitsRow(e blocklist.Entry) bool {
	if n, ok := e.Name(); ok && !isSite(n) {
		return false
	}
	if host, _ := urlParts(e); e.Scope == blocklist.ScopeURL && !isURLHost(strings.TrimPrefix(host, "*.")) {
		return false
	}
	return isText(e.Category) && isText(e.Reference)
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// SpreadsheetCell puts an apostrophe before a text that a spreadsheet would read as a formula.
func SpreadsheetCell(text string) string { return csvtable.Cell(text) }
