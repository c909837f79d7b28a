package desk

import (
	"net/url"
	"strings"
)

// Names of values in the query of a page.
const (
	ownQuery   = "mine"  // the page is made for its reader alone
	draftQuery = "draft" // names a draft
	editQuery  = "edit"  // shows the form itself, not its result
	doneQuery  = "done"  // names the page of a form that was sent with success
)

// withQuery returns a URL of this desk with one value of its query changed; an empty value removes it.
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

// parsed parses a URL that the desk itself has made.
func parsed(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// local returns the path if it belongs to this desk, or else "/".
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return u.String()
}
