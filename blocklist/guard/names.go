package guard

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// names is a list of names with an index by subtree. The index keys share memory with the names.
type names struct {
	list    []blocklist.Name
	subtree map[blocklist.Name]subtree
}

// subtree summarises the names of the list that are at or below one name. Positions in the list count from 1.
type subtree struct {
	at    uint32 // position of the name at the top; 0: that name is not in the list
	first uint32 // lowest position in the list that a name of the subtree has
	count uint32 // number of names in the subtree
}

// add appends a name to the list, unless the list has it already.
func (n *names) add(name blocklist.Name) {
	if n.subtree[name].at > 0 {
		return
	}
	n.list = append(n.list, name)
	position := uint32(len(n.list))
	for s := range name.Suffixes() {
		r := n.subtree[s]
		if s == name {
			r.at = position
		}
		if r.count++; r.first == 0 {
			r.first = position
		}
		n.subtree[s] = r
	}
}

// covered returns the position of the first name of the list that c covers, and the number of names of the list that
// c covers.
func (n *names) covered(c coverage) (first, count uint32) {
	r := n.subtree[c.name]
	switch {
	case c.below:
		return r.first, r.count
	case r.at > 0:
		return r.at, 1
	}
	return 0, 0
}

// near reports whether a name of the list may be at, above or below the given name. It decides for most names by one
// or two lookups, without a walk over their parents.
func (n *names) near(name blocklist.Name) bool {
	var two, one blocklist.Name // the suffixes of two labels and of one
	for s := range name.Suffixes() {
		two, one = one, s
	}
	return two != "" && n.subtree[two].count > 0 || two == "" && n.subtree[one].count > 0 || n.subtree[one].at > 0
}

// protected is the index of protected names and addresses.
type protected struct {
	names    names
	domains  map[blocklist.Name]bool // names that are protected with their subdomains
	because  map[blocklist.Name]string
	prefixes []netip.Prefix
}

func newProtected(entries []blocklist.Entry) (protected, error) {
	p := protected{
		names:   names{subtree: map[blocklist.Name]subtree{}},
		domains: map[blocklist.Name]bool{}, because: map[blocklist.Name]string{},
	}
	for _, e := range entries {
		if prefix, ok := e.Prefix(); ok {
			p.prefixes = append(p.prefixes, prefix)
			continue
		}
		if err := protectable(e); err != nil {
			return p, err
		}
		name, _ := e.Name()
		p.names.add(name)
		if e.Reference != "" {
			p.because[name] = " (" + e.Reference + ")"
		}
		if e.Scope == blocklist.ScopeDomain {
			p.domains[name] = true
		}
	}
	return p, nil
}

// protectable returns an error for a URL entry: it can't be a protected entry, because only an entry for the same URL
// could touch it.
func protectable(e blocklist.Entry) error {
	if e.Scope == blocklist.ScopeURL {
		return fmt.Errorf("protecting %q: %w: write the name alone, or =name without those below it", e.Target(),
			blocklist.ErrMalformed)
	}
	return nil
}

// why returns the reason to hold an entry that covers the names in c: the protected name that c affects. The reason is
// empty if c affects none.
func (p *protected) why(c coverage) (none reason) {
	if !p.names.near(c.name) {
		return none
	}
	for s := range c.name.Suffixes() {
		if p.domains[s] {
			return reason{text: fmt.Sprintf("%s is protected, with all names below it%s", s, p.because[s]), example: s.String()}
		}
	}
	first, n := p.names.covered(c)
	if n == 0 {
		return none
	}
	name := p.names.list[first-1]
	return reason{fmt.Sprintf("it covers %s, which is protected%s%s", name, p.because[name], more(n)), name.String(), uint64(n - 1)}
}

func (p *protected) overlapping(prefix netip.Prefix) (none reason) {
	for _, q := range p.prefixes {
		if q.Overlaps(prefix) {
			return reason{text: fmt.Sprintf("it covers addresses of %s, which are protected", q), example: q.String()}
		}
	}
	return none
}

// popular is the list of popular names, most popular first.
type popular struct {
	names names
	ranks []int
}

func newPopular(list []Popular) popular {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b Popular) int { return cmp.Compare(a.Rank, b.Rank) })
	p := popular{names: names{subtree: make(map[blocklist.Name]subtree, len(list))}}
	for _, l := range list {
		if p.names.add(l.Name); len(p.names.list) > len(p.ranks) {
			p.ranks = append(p.ranks, l.Rank)
		}
	}
	return p
}

// www is the label www in wire form. A site and its www name count as the same popular name.
const www = "\x03www"

// why returns the reason to hold an entry that covers the names in c: the popular names among them. The reason is empty
// if there are none. If c is the www name of a popular name, that counts, too, since lists of popular names often omit
// www names.
func (p *popular) why(c coverage) (none reason) {
	if first, n := p.names.covered(c); n > 0 {
		name := p.names.list[first-1]
		return reason{fmt.Sprintf("it covers %s, popular at rank %d%s", name, p.ranks[first-1], more(n)), name.String(), uint64(n - 1)}
	}
	if len(c.name) > len(www) && c.name[:len(www)] == www {
		site := c.name[len(www):]
		if at := p.names.subtree[site].at; at > 0 {
			return reason{text: fmt.Sprintf("it is the web site of %s, popular at rank %d", site, p.ranks[at-1]), example: site.String()}
		}
	}
	return none
}

// more returns a text such as ", and 3 others" for n names of which one was already mentioned. For 1, it is empty.
func more(n uint32) string {
	if n == 1 {
		return ""
	}
	return ", and " + count(uint64(n-1), "other", "others")
}

func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
