package formats

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// elsewhere is the reason for skipping a name that is redirected to a working service, such as safe search or a
// printer.
const elsewhere = "leads to another address or name, not blocked"

// redirect is a line that gives a name, or a range of addresses, a destination.
type redirect struct {
	name blocklist.Name
	ips  netip.Prefix
	to   destination
	mark mark // mark of the name or the addresses if the destination is a stop page
	line int
}

// redirects collects redirects until the end of the file. If nearly all of them have the same address as destination,
// that address is the list's stop page, which tells users that a name is blocked. A name, or a range of addresses, that
// is redirected to the stop page counts as listed.
type redirects struct {
	named   map[destination]bool // stop pages named by the caller
	pending []redirect
	count   map[destination]int
	kinds   [3]int // number of lines that block or redirect, by destination.kind
}

// blocks reports whether a destination is already known to block: a null address or name, or a stop page named by the
// caller.
func (a *redirects) blocks(to destination) bool { return to.isNull() || a.named[to] }

// addRedirect records a redirect to a destination that may be the stop page.
func (a *redirects) addRedirect(l redirect) {
	if a.count == nil {
		a.count = map[destination]int{}
	}
	a.pending = append(a.pending, l)
	a.count[l.to]++
	a.kinds[l.to.kind()]++
}

// sharedPart, sharedOwners and namesPerOwner are the conditions for a stop page: the minimum share of lines that
// redirect to it, the minimum number of owners of the redirected names, and the maximum average number of redirected
// names per owner. They exclude safe search, where a few services share an address.
const (
	sharedPart    = 0.9
	sharedOwners  = 10
	namesPerOwner = 4
)

// stopPages returns the addresses that meet the conditions for a stop page. Private addresses are excluded: they belong
// to machines of the local network.
func (a *redirects) stopPages() map[destination]bool {
	out := map[destination]bool{}
	for to, n := range a.count {
		if len(a.named) == 0 && to.addr.IsGlobalUnicast() && !to.addr.IsPrivate() &&
			float64(n) >= sharedPart*float64(a.kinds[0]+a.kinds[to.kind()]) && a.manyOwners(to) {
			out[to] = true
		}
	}
	return out
}

// manyOwners reports whether the names that are redirected to an address have many different owners. The owner of a
// name is the label before its public suffix, so all names of one search engine have the same owner.
func (a *redirects) manyOwners(to destination) bool {
	names, owners := map[blocklist.Name]bool{}, map[string]bool{}
	for _, l := range a.pending {
		if l.to == to && !names[l.name] {
			name := l.name.String()
			suffix, _ := publicsuffix.PublicSuffix(name)
			name = strings.TrimSuffix(strings.TrimSuffix(name, suffix), ".")
			names[l.name], owners[name[strings.LastIndexByte(name, '.')+1:]] = true, true
		}
	}
	return len(owners) >= sharedOwners && len(names) <= namesPerOwner*len(owners)
}

// advise adds a hint to the skipped redirects: the caller can name the most frequent destination if it is the stop
// page.
func (a *redirects) advise(t *lineSink, stop map[destination]bool) {
	page, most := "", 0
	for to, n := range a.count {
		if text := to.String(); !stop[to] && (n > most || n == most && text < page) {
			page, most = text, n
		}
	}
	if i := t.find(elsewhere); i >= 0 {
		t.skipped[i].Hint = "if " + page + " is the list's stop page, name it (--stop-page, stop_page:)"
	}
}
