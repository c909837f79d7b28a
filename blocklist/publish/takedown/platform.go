package takedown

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Platforms maps domains to the names of platforms. In the zero value, the platform of a page is its site: the
// registrable domain of the page's host, or its IP address. The public suffix list with its private section decides
// what a registrable domain is, so user.github.io is one.
type Platforms struct {
	names map[string]string // names of platforms, by domain in lower case
}

// maxPlatform is the maximum length of a platform's name, in bytes.
const maxPlatform = 64

// ParsePlatforms reads a table of platforms. Each line has a domain and the name of its platform, such as
// "facebook.example The Platform". A line covers the domain and all names below it, except those that a more specific
// line covers. Comments begin with #. For a malformed line, ParsePlatforms fails with a [*blocklist.EntryError].
func ParsePlatforms(text string) (Platforms, error) {
	p := Platforms{names: map[string]string{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if why := p.add(line); why != "" {
			return Platforms{}, &blocklist.EntryError{Line: number, Text: fmt.Sprintf("%.80s", line), Why: why}
		}
	}
	return p, nil
}

func (p Platforms) add(line string) (why string) {
	domain, platform := line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		domain, platform = line[:i], strings.TrimSpace(line[i:])
	}
	name, err := blocklist.ParseName(domain)
	switch {
	case platform == "":
		return "a domain and the name of its platform are needed"
	case err != nil || !name.IsHostname():
		return "it does not begin with a domain"
	case len(platform) > maxPlatform || strings.ContainsFunc(platform, utf8text.Unsafe):
		return fmt.Sprintf("the name of a platform is plain text of at most %d bytes", maxPlatform)
	}
	domain = name.String()
	if known, ok := p.names[domain]; ok && known != platform {
		return fmt.Sprintf("the platform of %s is %q already", domain, known)
	}
	p.names[domain] = platform
	return ""
}

// Of returns the name of the platform to which an entry is referred.
func (p Platforms) Of(e blocklist.Entry) string {
	host, _, _ := strings.Cut(ledger.HostOf(e), "/")
	for name, more := host, len(p.names) > 0; more; _, name, more = strings.Cut(name, ".") {
		if platform, ok := p.names[name]; ok {
			return platform
		}
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.String()
	}
	if site, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return site
	}
	return host // a public suffix itself
}
