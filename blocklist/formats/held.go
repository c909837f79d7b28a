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

// held keeps what a file says until its end, for formats in which a later line may take something back. Its memory grows
// with the file, some 70 bytes a name.
type held struct {
	names map[blocklist.Name]verdict
	ips   map[netip.Prefix]verdict
	// passWins: an exception holds for everything below it too, however specific; else the most specific line decides.
	passWins bool
}

type verdict struct {
	mark mark
	line int // where it was said first
}

func newHeld(passWins bool) *held {
	return &held{names: map[blocklist.Name]verdict{}, ips: map[netip.Prefix]verdict{}, passWins: passWins}
}

// name remembers what the current line says of a name.
func (h *held) name(t *tally, n blocklist.Name, m mark) {
	switch {
	case m&listName != 0 && t.scope == blocklist.ScopeDomain:
		m |= listBelow
	case m == listDomain && t.scope == blocklist.ScopeHost:
		m = listName
	}
	remember(t, h.names, n, m)
}

// ip remembers what the current line says of addresses.
func (h *held) ip(t *tally, p netip.Prefix, m mark) { remember(t, h.ips, p, m) }

func remember[K comparable](t *tally, in map[K]verdict, k K, m mark) {
	t.things++
	v, ok := in[k]
	if !ok {
		v.line = t.number
	}
	v.mark |= m
	in[k] = v
}

// end yields the entries in the order of their lines.
func (h *held) end(t *tally, yield func(blocklist.Entry) bool) {
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
	case listed == 0, h.passWins && h.belowException(n):
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
	for n, v := range h.names {
		if v.mark&passDomain == 0 {
			continue
		}
		for parent := range n.Suffixes() {
			if parent != n && h.names[parent].mark&listBelow != 0 {
				out[parent] = true
			}
		}
	}
	return out
}

func (h *held) belowException(n blocklist.Name) bool {
	for parent := range n.Suffixes() {
		if h.names[parent].mark&passBelow != 0 {
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
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int {
		if c := cmp.Compare(m[a].line, m[b].line); c != 0 {
			return c
		}
		return cmp.Compare(a.String(), b.String())
	})
	return keys
}
