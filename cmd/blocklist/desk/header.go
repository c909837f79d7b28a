package desk

import "net/url"

// header is the header of a column by which a table can be sorted.
type header struct {
	URL, Key, Order string
	Right           bool // aligned to the right, for numbers
}

// sortable is a table that can be sorted by its columns.
type sortable interface {
	By(name string) string
	Order(name string) string
}

func newHeader(t sortable, name, key string, right bool) header {
	return header{t.By(name), key, t.Order(name), right}
}

// tab is a link to one of several views of a page.
type tab struct {
	URL, Key string
	Here     bool
	N        uint64 // number of things in the view; 0: none, or unknown
}

// tabs returns the links to the views of a page, one for each value of the query parameter "what". The argument chosen
// is the present value. The key of a link's text consists of the page and the value.
func tabs(page, chosen string, values ...string) (all []tab) {
	for _, value := range values {
		t := tab{"/" + page, page + ".all", chosen == value, 0}
		if value != "" {
			t.URL, t.Key = t.URL+"?"+url.Values{"what": {value}}.Encode(), page+"."+value
		}
		all = append(all, t)
	}
	return all
}
