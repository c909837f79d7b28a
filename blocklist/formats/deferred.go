package formats

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// deferred collects what lines say about names and addresses (their marks) until the end of the file. It is for formats
// in which a later line may change what an earlier line means. It needs about 70 bytes for each name.
type deferred struct {
	redirects
	names  map[blocklist.Name]verdict
	passes map[blocklist.Name]verdict // combined marks of the exceptions, by name
	ips    map[netip.Prefix]verdict
	// fits has functions that report whether a name matches a pattern exception. The key is the domain that contains
	// all names that can match.
	fits map[blocklist.Name][]func(dotted string) bool
	// passWins is true if an exception also applies to all names below it, even if they have rules of their own.
	// Otherwise the most specific line decides.
	passWins bool
	allow    bool // whether the list is an allow list, see [Options]
}

func newDeferred(s settings, passWins bool) *deferred {
	return &deferred{
		names:     map[blocklist.Name]verdict{},
		passes:    map[blocklist.Name]verdict{},
		ips:       map[netip.Prefix]verdict{},
		redirects: redirects{named: s.stop},
		passWins:  passWins,
		allow:     s.allow,
	}
}

// text parses a name and records the mark m for it. The argument to is the destination to which the line redirects the
// name, if any.
func (h *deferred) text(t *lineSink, text string, m mark, to destination) {
	n, labels := t.hostName(text)
	rest, dotted := strings.CutPrefix(text, ".")
	if dotted {
		n, labels = t.hostName(rest)
	}
	switch {
	case labels == 0:
		t.bad(notName)
	case dotted && m == listName:
		t.bad(leadingDot)
	default:
		h.answer(t, redirect{name: n, to: to, mark: m, line: t.number})
	}
}

// answer records that a line lists or excepts a name or a range of addresses. But if the line redirects to a
// destination that may be the stop page, answer only stores the redirect for [deferred.settle]: the stop pages are not
// known before the end of the file.
func (h *deferred) answer(t *lineSink, l redirect) {
	switch {
	case l.mark&listDomain != 0 && !h.blocks(l.to):
		t.records++
		h.addRedirect(l)
		return
	case l.mark&listDomain != 0:
		h.kinds[l.to.kind()]++
	}
	if l.ips.IsValid() {
		h.ip(t, l.ips, l.mark)
	} else {
		h.name(t, l.name, l.mark)
	}
}

// name records that the current line gives the name n the mark m.
func (h *deferred) name(t *lineSink, n blocklist.Name, m mark) {
	t.records++
	h.put(t, n, m, t.number)
}

func (h *deferred) put(t *lineSink, n blocklist.Name, m mark, line int) {
	switch {
	case m&listName != 0 && t.scope == blocklist.ScopeDomain:
		m |= listBelow
	case m&listDomain == listDomain && t.scope == blocklist.ScopeHost:
		m &^= listBelow
	}
	remember(h.names, n, m, line)
	if m&passDomain != 0 {
		remember(h.passes, n, m, line)
	}
}

// ip records that the current line gives the addresses in p the mark m.
func (h *deferred) ip(t *lineSink, p netip.Prefix, m mark) {
	t.records++
	remember(h.ips, p, m, t.number)
}

// settle decides on redirects at the end of the file, when the stop pages are known. A name that is redirected to a
// stop page is listed. A name that is redirected elsewhere has another answer, so it is not listed. The same holds for
// addresses.
func (h *deferred) settle(t *lineSink, stop map[destination]bool) {
	for _, l := range h.pending {
		if !stop[l.to] {
			l.mark = l.mark<<2 | rewritten
		}
		if l.ips.IsValid() {
			remember(h.ips, l.ips, l.mark, l.line)
		} else {
			h.put(t, l.name, l.mark, l.line)
		}
	}
	h.pending = nil
}

// end yields the entries, in the order of their lines.
func (h *deferred) end(t *lineSink, yield func(blocklist.Entry) bool) {
	stop := h.stopPages()
	h.settle(t, stop)
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
	h.endIPs(t, yield)
	h.advise(t, stop)
}

func (h *deferred) endIPs(t *lineSink, yield func(blocklist.Entry) bool) {
	broad, names := h.prefixesAroundExceptions(), h.exceptsNames()
	for _, p := range inOrder(h.ips) {
		v := h.ips[p]
		switch {
		case v.mark&withdrawn != 0:
			t.note(takesBack, v.line)
		case v.mark&rewritten != 0:
			t.note(elsewhere, v.line)
		case v.mark&passName != 0:
			t.note(excepted, v.line)
		case names:
			t.note(exceptedNames, v.line)
		case broad[p]:
			t.note(exceptionBelow, v.line)
		case !yield(blocklist.IPEntry(p)):
			return
		}
	}
}

// decide returns the entry for the marks of a name, or the reason why the name is not listed. The argument inexact has
// the domains that have exceptions below them.
func (h *deferred) decide(n blocklist.Name, m mark, inexact map[blocklist.Name]bool) (e blocklist.Entry, why string) {
	listed := m & listDomain &^ (m & passDomain >> 2)
	switch {
	case m&withdrawn != 0:
		return e, takesBack
	case listed&listName == 0 && m&rewritten != 0:
		return e, elsewhere
	case listed == 0, h.passWins && below(h.passes, n, passBelow), h.fitted(n):
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

// fitted reports whether a name matches a pattern exception.
func (h *deferred) fitted(n blocklist.Name) bool {
	if len(h.fits) == 0 {
		return false
	}
	dotted := "." + n.String()
	fits := func(f func(string) bool) bool { return f(dotted) }
	for parent := range n.Suffixes() {
		if slices.ContainsFunc(h.fits[parent], fits) {
			return true
		}
	}
	return slices.ContainsFunc(h.fits[root], fits)
}

// exceptsNames reports whether the file has exceptions for names. Such a file can't list addresses: the addresses of
// an excepted name must not be blocked, since in RPZ the QNAME trigger precedes the response IP trigger. But the file
// does not say which addresses these are.
func (h *deferred) exceptsNames() bool {
	for _, v := range h.passes {
		if v.mark&rewritten == 0 {
			return true
		}
	}
	return len(h.fits) > 0
}

// namesAboveExceptions returns the listed domains that have exceptions below them.
func (h *deferred) namesAboveExceptions() map[blocklist.Name]bool {
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

func (h *deferred) prefixesAroundExceptions() map[netip.Prefix]bool {
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
