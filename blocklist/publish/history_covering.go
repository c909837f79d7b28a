package publish

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// subject is what somebody asks the history about: a name, an address or a URL.
type subject struct {
	name   string   // canonical form of the subject, as a target
	own    []string // targets that mean exactly this subject
	covers []string // broader targets that would cover the subject, most specific first
}

// readSubject parses a text that a person has typed: an entry, a host, an address or a URL, in any usual spelling.
func readSubject(text string) (s subject, err error) {
	name, addr, err := blocklist.ParseHost(text)
	switch {
	case err == nil && addr.IsValid():
		return subjectOf(blocklist.IPEntry(netip.PrefixFrom(addr, addr.BitLen()))), nil
	case err == nil && !strings.ContainsAny(text, "*="):
		s = subjectOf(blocklist.DomainEntry(name))
		s.own = append(s.own, blocklist.HostEntry(name).Target())
		return s, nil
	}
	e, err := blocklist.ParseEntry(strings.TrimSpace(text))
	if err != nil {
		return s, fmt.Errorf("asking for the history: %w", err)
	}
	return subjectOf(e), nil
}

func subjectOf(e blocklist.Entry) subject {
	s := subject{name: e.Target(), own: []string{e.Target()}}
	switch name, isName := e.Name(); {
	case isName && e.Scope == blocklist.ScopeHost:
		s.covers = domainsFrom(name)
	case isName:
		s.covers = domainsFrom(name)[1:]
	case e.Scope == blocklist.ScopeIP:
		prefix, _ := e.Prefix()
		s.covers = networksAbove(prefix)
	default:
		s.covers = coveringURLs(e)
	}
	s.covers = slices.DeleteFunc(s.covers, func(target string) bool { return target == s.name })
	return s
}

// domainsFrom returns the targets of scope domain that cover a name: the name itself, then its parents.
func domainsFrom(name blocklist.Name) (targets []string) {
	for suffix := range name.Suffixes() {
		targets = append(targets, blocklist.DomainEntry(suffix).Target())
	}
	return targets
}

// networksAbove returns the targets for all networks that contain the network p, the smallest first.
func networksAbove(p netip.Prefix) (targets []string) {
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		targets = append(targets, blocklist.IPEntry(netip.PrefixFrom(p.Addr(), bits)).Target())
	}
	return targets
}

// coveringURLs returns the targets that cover a url entry. First come broader paths and queries on the same host and on
// its parents, then the targets for the whole host: its name and the parents of that name, or its address and the
// networks around that address.
func coveringURLs(e blocklist.Entry) (targets []string) {
	key, below := strings.CutPrefix(e.Key(), "*.")
	slash := strings.IndexByte(key, '/')
	host, paths := key[:slash], coveringPaths(key[slash:])
	hosts := []string{host}
	name, addr, _ := blocklist.ParseHost(host) // the host of an entry is one
	if addr.IsValid() {
		single := netip.PrefixFrom(addr, addr.BitLen())
		targets = append([]string{blocklist.IPEntry(single).Target()}, networksAbove(single)...)
	} else {
		if below {
			hosts = nil
		} else {
			targets = append(targets, blocklist.HostEntry(name).Target())
		}
		for rest, more := host, true; more; _, rest, more = strings.Cut(rest, ".") {
			hosts = append(hosts, "*."+rest)
		}
		targets = append(targets, domainsFrom(name)...)
	}
	var urls []string
	for _, h := range hosts {
		for _, path := range paths {
			urls = append(urls, "https://"+h+path)
		}
	}
	return append(urls, targets...)
}

// anyOrder is the suffix of a url entry that matches its query parameters in any order.
const anyOrder = "#any-order"

// coveringPaths returns the path and query of an entry, then the patterns that cover them: the same query in any order,
// any query, and everything below the path and below each of its parents.
func coveringPaths(text string) (paths []string) {
	paths = append(paths, text)
	path, query, hasQuery := strings.Cut(text, "?")
	if hasQuery && !strings.HasSuffix(query, anyOrder) {
		sorted := slices.Sorted(strings.SplitSeq(query, "&"))
		paths = append(paths, path+"?"+strings.Join(sorted, "&")+anyOrder)
	}
	if hasQuery {
		paths = append(paths, path)
	}
	dir, isBelow := strings.CutSuffix(path, "/*")
	if !isBelow || hasQuery {
		dir = path
		paths = append(paths, strings.TrimSuffix(path, "/")+"/*")
	}
	for i := strings.LastIndexByte(dir, '/'); i >= 0; i = strings.LastIndexByte(dir[:i], '/') {
		paths = append(paths, dir[:i]+"/*")
	}
	return slices.Compact(paths)
}
