package formats

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// elsewhere is what becomes of a name that a list sends to something that works: safe search, a printer at home.
const elsewhere = "leads to another address or name, not blocked"

// redirect is what a line leads to a destination: a name, or else addresses.
type redirect struct {
	name blocklist.Name
	ips  netip.Prefix
	to   destination
	mark mark // what is listed if that is the stop page
	line int
}

// redirects keeps what leads somewhere. Only at the end it is known whether nearly all of the list leads to the same
// address: then that is where the list's author shows that a name is blocked.
type redirects struct {
	named   map[destination]bool // the stop pages that the caller named
	pending []redirect
	count   map[destination]int
	kinds   [3]int // lines that list or lead, by the kind of their destination
}

// blocks reports whether a line that leads to a destination lists, as far as is known yet.
func (a *redirects) blocks(to destination) bool { return to.isNull() || a.named[to] }

// addRedirect keeps what leads to a destination that may be the stop page.
func (a *redirects) addRedirect(l redirect) {
	if a.count == nil {
		a.count = map[destination]int{}
	}
	a.pending = append(a.pending, l)
	a.count[l.to]++
	a.kinds[l.to.kind()]++
}

// What makes an address the stop page: that share of all lines leads there, names of at least that number of owners,
// and no more names of each, on average. A few services that share an address may be led to their safe search.
const (
	sharedPart    = 0.9
	sharedOwners  = 10
	namesPerOwner = 4
)

// stopPages returns the addresses that nearly all lines share. Private ones are those of a network's own machines.
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

// manyOwners reports whether the names that lead to an address are of different owners, as far as the labels before
// their public suffixes tell: all names of one search engine lead to the address of its safe search.
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

// advise says what to do if those that lead elsewhere, and are not listed, lead to the stop page after all.
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
