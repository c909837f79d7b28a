package proposal

import (
	"cmp"
	"encoding/csv"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/csvtable"
)

// WriteTable writes proposals as CSV with a header. [ReadTable] can read the table, but only the columns that are
// [Fields]. Cells are escaped so that a spreadsheet takes none for a formula.
func WriteTable(w io.Writer, all iter.Seq2[Proposal, error]) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{
		"id", "state", "withdraw", "target", "source", "serial", "received", "category", "reference", "evidence", "note", "reporter", "key",
		"expires", "review", "checker", "operation",
	})
	for p, readErr := range all {
		if readErr != nil || err != nil {
			return cmp.Or(err, readErr)
		}
		row := []string{
			numberCell(p.ID), p.State, "", p.Target, p.Source, numberCell(int64(p.Serial)), timeCell(p.Received), p.Category, p.Reference,
			p.Evidence, p.Note, p.Reporter, p.Key, timeCell(p.Expires), timeCell(p.Review), p.Checker, numberCell(p.Operation),
		}
		if p.Withdraw {
			row[2] = "yes"
		}
		for i := range row {
			row[i] = csvtable.Cell(row[i])
		}
		err = out.Write(row)
	}
	out.Flush()
	return cmp.Or(err, out.Error())
}

// numberCell returns the text of a number, or an empty text for 0.
func numberCell(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// timeCell returns the text of a time, or an empty text for the zero time.
func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
