package desk

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// table is one page of a sorted table whose rows are all in memory. The query of the URL says by which column it is
// sorted, and which page it is.
type table[T any] struct {
	Rows           []T
	Total          int
	Previous, Next string // URLs of the neighbouring pages; empty: none

	url  *url.URL
	sort string
}

// column compares two rows by one column, as for slices.SortFunc.
type column[T any] func(a, b T) int

// newTable returns the page of a table that the URL u asks for. The map columns has the columns by their names in the
// URL. If the URL names no column, the rows are sorted by the column standard.
func newTable[T any](u *url.URL, rows []T, standard string, columns map[string]column[T]) (t table[T], err error) {
	t = table[T]{Total: len(rows), url: u, sort: u.Query().Get("sort")}
	if t.sort == "" {
		t.sort = standard
	}
	compare := columns[strings.TrimPrefix(t.sort, "-")]
	if compare == nil {
		return t, fmt.Errorf("column %.40q: %w", t.sort, blocklist.ErrMalformed)
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b T) int {
		if strings.HasPrefix(t.sort, "-") {
			a, b = b, a
		}
		return compare(a, b)
	})
	skip, err := numberOf(u.Query().Get("skip"))
	if err != nil {
		return t, err
	}
	from := min(int(min(skip, int64(len(rows)))), len(rows))
	to := min(from+pageLength, len(rows))
	t.Rows = rows[from:to]
	if from > 0 {
		t.Previous = withQuery(u, "skip", strconv.Itoa(max(from-pageLength, 0)))
	}
	if to < len(rows) {
		t.Next = withQuery(u, "skip", strconv.Itoa(to))
	}
	return t, nil
}

// By returns the URL of the table sorted by the column with this name, in reverse order if it is already sorted by that
// column.
func (t table[T]) By(name string) string {
	if t.sort == name {
		name = "-" + name
	}
	return withQuery(parsed(withQuery(t.url, "skip", "")), "sort", name)
}

// Order returns the value of the HTML attribute aria-sort for a column.
func (t table[T]) Order(name string) string {
	switch t.sort {
	case name:
		return "ascending"
	case "-" + name:
		return "descending"
	}
	return "none"
}

// later compares times. The zero time sorts last.
func later(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return -a.Compare(b)
	}
	return a.Compare(b)
}
