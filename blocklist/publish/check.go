package publish

import (
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// CheckEntry tells why an entry must not be listed: it would block everything below a top-level domain or another suffix
// under which anyone can register. It returns a *[blocklist.EntryError], or nil.
func CheckEntry(e blocklist.Entry) error {
	name, ok := e.Name()
	if !ok {
		return nil
	}
	refuse := func(why string) error {
		return &blocklist.EntryError{Text: e.Target(), Why: why}
	}
	if name.Labels() == 1 {
		return refuse("a top-level domain cannot be listed; list the names below it that are meant")
	}
	if e.Scope == blocklist.ScopeDomain && isPublicSuffix(name.String()) {
		return refuse(fmt.Sprintf("%s is a public suffix, under which anyone can register; list the names below it that are meant", name))
	}
	return nil
}

// isPublicSuffix knows the suffixes of registries. What is a suffix only by a wildcard, such as name.ck by *.ck, is also
// the name of somebody, and may be listed.
func isPublicSuffix(name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	neighbour := "no-such-suffix." + parent
	suffix, icann := publicsuffix.PublicSuffix(name)
	wildcard, _ := publicsuffix.PublicSuffix(neighbour)
	return icann && suffix == name && wildcard != neighbour
}
