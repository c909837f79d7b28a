package httpfilter

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Lookup looks up what a request asks for: target is that of the request line in any form (RFC 9112, section 3.2),
// hosts are the values of its Host fields. Where more than one host is named all are looked up, and what blocks goes
// first: a request may go to one and be meant for the other. It takes every spelling that [blocklist.ParseURL] takes.
//
// It fails with [blocklist.ErrMalformed] where nothing that blocks was found and the request is ambiguous: there is
// no host, or one that is none. Such a request is to be refused, as it may be meant for anything that is listed.
func Lookup(l List, method, target string, hosts ...string) (blocklist.Match, bool, error) {
	f := finding{list: l}
	authority, path := "", target
	switch {
	case method == http.MethodConnect:
		authority = target
		f.host(target)
	case target == "*" || target == "" || strings.ContainsRune(`/\?#`, rune(target[0])):
		if !slices.ContainsFunc(hosts, func(host string) bool { return host != "" }) {
			f.fail(fmt.Errorf("request for %.80q: %w: it names no host", target, blocklist.ErrMalformed))
		}
	default:
		f.url(target)
		authority, path = cutAuthority(target)
	}
	for _, host := range hosts {
		switch {
		case host == "" || host == authority:
		case method == http.MethodConnect || target == "*":
			f.host(host)
		default:
			f.at(host, path)
		}
	}
	if f.listed && !f.match.Monitor {
		return f.match, true, nil
	}
	return f.match, f.listed, f.err
}

// finding is what was found of a request so far.
type finding struct {
	list   List
	match  blocklist.Match
	listed bool
	err    error // why it is ambiguous
}

// take takes a match that says more than what was found before.
func (f *finding) take(m blocklist.Match, ok bool) {
	if ok && (!f.listed || f.match.Monitor && !m.Monitor) {
		f.match, f.listed = m, true
	}
}

func (f *finding) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// url looks up a URL.
func (f *finding) url(url string) {
	f.take(f.list.LookupURL(url))
	f.fail(blocklist.CheckURL(url))
}

// at looks up path and query at the host of a Host field.
func (f *finding) at(host, path string) {
	if strings.ContainsAny(host, `/\?#@`) {
		f.fail(fmt.Errorf("host %.80q: %w: it holds more than a host", host, blocklist.ErrMalformed))
	}
	f.url("http://" + host + "/" + path)
}

// host looks up the host of host:port by the entries of names and addresses. It is read as that of a URL is, since
// what a browser or a resolver takes for an address or a name is the same there.
func (f *finding) host(text string) {
	authority, _ := cutAuthority(text)
	url := "http://" + authority[strings.LastIndexByte(authority, '@')+1:]
	f.fail(blocklist.CheckURL(url))
	u, err := blocklist.ParseURL(url)
	if err != nil {
		return
	}
	if a, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil {
		f.take(f.list.LookupAddr(a))
		return
	}
	f.take(f.list.LookupHost(u.Host))
}

// cutAuthority splits an absolute target.
func cutAuthority(target string) (authority, rest string) {
	if _, after, ok := strings.Cut(target, "://"); ok {
		target = after
	}
	if i := strings.IndexAny(target, `/\?#`); i >= 0 {
		return target[:i], target[i:]
	}
	return target, ""
}
