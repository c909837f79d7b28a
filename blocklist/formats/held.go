package formats

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// What a file says of a name, as bits.
type mark uint8

const (
	listName  mark = 1 << iota // the name itself is listed
	listBelow                  // the names below it are listed
	passName                   // the name itself is excepted
	passBelow                  // the names below it are excepted

	listDomain = listName | listBelow
	passDomain = passName | passBelow
)

// Reasons that can be told only when the whole file was read.
const (
	excepted       = "allowed by an exception"
	exceptionBelow = "has exceptions below it, unsupported"
)

// held keeps what is said of names and addresses until the end, where something may come later that changes it. Its memory
// grows with the list, some 70 bytes a name.
type held struct {
	names  map[blocklist.Name]verdict
	passes map[blocklist.Name]verdict // those of names with exceptions, which are few
	ips    map[netip.Prefix]verdict
	// passWins: an exception holds for everything below it too, however specific; else the most specific line decides.
	passWins bool
	allow    bool // the list is one of exceptions, see [Options]
}

type verdict struct {
	mark mark
	line int // where something was said first
}

func newHeld(s settings, passWins bool) *held {
	return &held{
		names:    map[blocklist.Name]verdict{},
		passes:   map[blocklist.Name]verdict{},
		ips:      map[netip.Prefix]verdict{},
		passWins: passWins,
		allow:    s.allow,
	}
}

// name remembers what the current line says of a name.
func (h *held) name(t *tally, n blocklist.Name, m mark) {
	switch {
	case m&listName != 0 && t.scope == blocklist.ScopeDomain:
		m |= listBelow
	case m == listDomain && t.scope == blocklist.ScopeHost:
		m = listName
	}
	t.things++
	remember(h.names, n, m, t.number)
	if m&passDomain != 0 {
		remember(h.passes, n, m, t.number)
	}
}

// ip remembers what the current line says of addresses.
func (h *held) ip(t *tally, p netip.Prefix, m mark) {
	t.things++
	remember(h.ips, p, m, t.number)
}

func remember[K comparable](in map[K]verdict, k K, m mark, line int) {
	v, ok := in[k]
	if !ok {
		v.line = line
	}
	v.mark |= m
	in[k] = v
}

// end yields the entries in the order of their lines.
func (h *held) end(t *tally, yield func(blocklist.Entry) bool) {
	if h.allow {
		h.turn(t)
	}
	inexact := h.namesAboveExceptions()
	for _, n := range inOrder(h.names) {
		v := h.names[n]
		e, why := h.decide(n, v.mark, inexact)
		if why != "" {
			t.note(why, v.line)
		} else if !yield(e) {
			return
		}
	}
	broad := h.prefixesAroundExceptions()
	for _, p := range inOrder(h.ips) {
		v := h.ips[p]
		switch {
		case v.mark&passName != 0:
			t.note(excepted, v.line)
		case broad[p]:
			t.note(exceptionBelow, v.line)
		case !yield(blocklist.IPEntry(p)):
			return
		}
	}
}

// decide says which entry the marks of a name come to, or why none.
func (h *held) decide(n blocklist.Name, m mark, inexact map[blocklist.Name]bool) (e blocklist.Entry, why string) {
	listed := m & listDomain &^ (m & passDomain >> 2)
	switch {
	case listed == 0, h.passWins && below(h.passes, n, passBelow):
		return e, excepted
	case listed&listBelow != 0 && inexact[n]:
		return e, exceptionBelow
	case listed == listBelow:
		return e, wildcardOnly
	case listed == listName:
		return blocklist.HostEntry(n), ""
	}
	return blocklist.DomainEntry(n), ""
}

// namesAboveExceptions returns the names with listed names below them of which some are excepted.
func (h *held) namesAboveExceptions() map[blocklist.Name]bool {
	out := map[blocklist.Name]bool{}
	for n := range h.passes {
		for parent := range n.Suffixes() {
			if parent != n && h.names[parent].mark&listBelow != 0 {
				out[parent] = true
			}
		}
	}
	return out
}

// below tells whether a parent of n has the mark m.
func below(in map[blocklist.Name]verdict, n blocklist.Name, m mark) bool {
	for parent := range n.Suffixes() {
		if parent != n && in[parent].mark&m != 0 {
			return true
		}
	}
	return false
}

func (h *held) prefixesAroundExceptions() map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for p, v := range h.ips {
		if v.mark&passName == 0 {
			continue
		}
		for bits := p.Bits() - 1; bits >= 0; bits-- {
			wider := netip.PrefixFrom(p.Addr(), bits).Masked()
			if h.ips[wider].mark&listName != 0 {
				out[wider] = true
			}
		}
	}
	return out
}

// inOrder returns the keys by the line that they came from; of one line, the order is that of the text.
func inOrder[K interface {
	comparable
	String() string
}](m map[K]verdict) []K {
	type place struct {
		key  K
		line int
	}
	places := make([]place, 0, len(m))
	for k, v := range m {
		places = append(places, place{k, v.line})
	}
	slices.SortFunc(places, func(a, b place) int {
		if c := cmp.Compare(a.line, b.line); c != 0 {
			return c
		}
		return cmp.Compare(a.key.String(), b.key.String())
	})
	keys := make([]K, len(places))
	for i, p := range places {
		keys[i] = p.key
	}
	return keys
}
