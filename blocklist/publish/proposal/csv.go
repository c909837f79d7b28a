package proposal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/csvtable"
)

// MaxTable is the maximum length of a table of proposals, in bytes.
const MaxTable = 64 << 20

// Fields returns the names of a proposal's fields that a table may contain as columns.
func Fields() []string {
	return []string{"target", "source", "received", "category", "reference", "evidence", "note", "reporter", "key"}
}

// ReadTable reads proposals from CSV with a header. The map columns gives the column name of a field, see [Fields]; any
// other field is read from the column with the field's own name, if there is one. A column for target is required.
// Upper and lower case in names don't matter. A time is a day (2027-05-01 or 1.5.2027) or RFC 3339.
//
// An error about one row wraps [blocklist.ErrMalformed], and more rows may follow. Reading ends at an error that makes
// the rest unreadable, and with [blocklist.ErrTooLarge] beyond [MaxTable].
func ReadTable(r io.Reader, columns map[string]string) iter.Seq2[Proposal, error] {
	return func(yield func(Proposal, error) bool) {
		limited := &io.LimitedReader{R: r, N: MaxTable + 1}
		err := readTable(limited, columns, yield)
		if limited.N == 0 {
			err = fmt.Errorf("%w: more than %d MiB; give it in parts", blocklist.ErrTooLarge, MaxTable>>20)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Proposal{}, err)
		}
	}
}

// errStopped ends reading after yield has returned false.
var errStopped = errors.New("stopped")

func readTable(in io.Reader, columns map[string]string, yield func(Proposal, error) bool) error {
	var places map[string]int
	header := func(names []string) (err error) {
		places, err = fieldPlaces(names, columns)
		return err
	}
	return csvtable.Read(bufio.NewReader(in), header, func(line int, row []string) error {
		p, err := readRow(places, row)
		if err != nil {
			err = fmt.Errorf("line %d: %w", line, err)
		}
		if !yield(p, err) {
			return errStopped
		}
		return nil
	})
}

// fieldPlaces returns the column index of each field that the table has.
func fieldPlaces(header []string, columns map[string]string) (map[string]int, error) {
	for _, field := range slices.Sorted(maps.Keys(columns)) {
		if !slices.Contains(Fields(), field) {
			return nil, malformed("there is no field %.40q; there are %s", field, strings.Join(Fields(), ", "))
		}
	}
	places := map[string]int{}
	for _, field := range Fields() {
		name, given := columns[field]
		if !given {
			name = field
		}
		same := func(column string) bool { return strings.EqualFold(strings.TrimSpace(column), strings.TrimSpace(name)) }
		at := slices.IndexFunc(header, same)
		switch {
		case at < 0 && (given || field == "target"):
			return nil, malformed("line 1: there is no column %.40q for %s; there are %.400s", name, field, strings.Join(header, ", "))
		case at < 0:
			continue
		case slices.IndexFunc(header[at+1:], same) >= 0:
			return nil, malformed("line 1: the column %.40q is there twice", name)
		}
		places[field] = at
	}
	return places, nil
}

func readRow(places map[string]int, row []string) (p Proposal, err error) {
	field := func(name string) string {
		if at, ok := places[name]; ok && at < len(row) {
			return strings.TrimSpace(row[at])
		}
		return ""
	}
	p = Proposal{
		Target: strings.Clone(strings.TrimPrefix(field("target"), "'")), // see [csvtable.Cell]
		Source: field("source"), Category: field("category"), Reference: field("reference"),
		Evidence: field("evidence"), Note: strings.Join(strings.Fields(field("note")), " "), Reporter: field("reporter"), Key: field("key"),
	}
	if p.Target == "" {
		return p, malformed("there is no target")
	}
	if p.Received, err = parseReceived(field("received")); err != nil {
		return p, err
	}
	_, err = ParseTarget(p.Target)
	return p, err
}

// parseReceived parses the day or time at which a report was received. It returns the zero time for the empty text.
func parseReceived(text string) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	for _, layout := range []string{time.DateTime, "2.1.2006", "2.1.2006 15:04", "2.1.2006 15:04:05", "2006-01-02 15:04"} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return blocklist.ParseTime(text)
}
