package httpfilter

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Lookup looks up a request: target is the target in its request line, in any form (RFC 9112, section 3.2), and hosts
// are the values of its Host fields. If the request names several hosts, all are looked up, because a proxy may send it
// to any of them; a blocking match takes precedence. Lookup accepts every spelling that [blocklist.ParseURL] accepts.
//
// If no entry blocks the request, Lookup fails with [blocklist.ErrMalformed] for an ambiguous request: it names no
// host, or an invalid one. Refuse such a request, because it may lead to any listed host.
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
			f.hostAndPath(host, path)
		}
	}
	if f.listed && !f.match.Monitor {
		return f.match, true, nil
	}
	return f.match, f.listed, f.err
}

// finding is the match of a request so far: the first one that blocks, or else the first one that monitors.
type finding struct {
	list   List
	match  blocklist.Match
	listed bool
	err    error // why the request is ambiguous; nil: it is not
}

// take stores a match if it is the first one, or if it blocks and the previous one only monitors.
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

// url looks up a URL. If the URL is invalid, it records that the request is ambiguous.
func (f *finding) url(url string) {
	f.take(f.list.LookupURL(url))
	f.fail(blocklist.CheckURL(url))
}

// hostAndPath looks up the URL that consists of a host, as in a Host field, and of a path with its query.
func (f *finding) hostAndPath(host, path string) {
	if strings.ContainsAny(host, `/\?#@`) {
		f.fail(fmt.Errorf("host %.80q: %w: it holds more than a host", host, blocklist.ErrMalformed))
	}
	f.url("http://" + host + "/" + path)
}

// host looks up the host in a text such as host:port, but only among entries for names and addresses. It parses this
// host like the host of a URL, because programs accept the same spellings of a host with and without a URL around it.
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

// cutAuthority splits the target of a request into its authority, without a scheme, and the rest.
func cutAuthority(target string) (authority, rest string) {
	if _, after, ok := strings.Cut(target, "://"); ok {
		target = after
	}
	if i := strings.IndexAny(target, `/\?#`); i >= 0 {
		return target[:i], target[i:]
	}
	return target, ""
}
