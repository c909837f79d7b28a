package desk

import (
	"net/url"
	"strings"
)

// Names of values in the query of a page.
const (
	ownQuery   = "mine"  // makes the page only for the person who requests it
	draftQuery = "draft" // name of the draft that the page shows
	editQuery  = "edit"  // makes the page show the form itself, not its result
	doneQuery  = "done"  // path of the page whose form was sent with success

	allQuery    = "all"    // chooses all proposals that the other values select
	tickedQuery = "ticked" // ticks all proposals of the page
)

// withQuery returns a URL of this desk with one query parameter changed; an empty value removes it.
func withQuery(u *url.URL, key, value string) string {
	q := u.Query()
	if q.Set(key, value); value == "" {
		q.Del(key)
	}
	if len(q) == 0 {
		return u.Path
	}
	return u.Path + "?" + q.Encode()
}

// without returns a URL of this desk without some query parameters.
func without(u *url.URL, keys ...string) *url.URL {
	for _, key := range keys {
		u = parsed(withQuery(u, key, ""))
	}
	return u
}

// parsed parses a URL that the desk itself has made. For an invalid one it returns an empty URL.
func parsed(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// local returns the path if it is one of this desk, and otherwise "/", so that no link can redirect to another site.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return u.String()
}
