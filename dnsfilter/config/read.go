package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// parseSettings reads the text of a settings file.
func parseSettings(path string, text []byte) (*Settings, error) {
	r := &reader{file: path}
	s := &Settings{File: path, Cache: dnsfilter.DefaultCache, fileAt: map[string]place{}, given: map[string]bool{}}
	body := r.document(text)
	if body == nil && len(r.mistakes) == 0 && !bytes.ContainsRune(text, '#') { // what an interrupted write leaves must not lift every block
		r.fail(place{}, "the file is empty; a comment alone means the defaults")
	}
	if body != nil {
		r.mapping(body, s.fields(r).noting(s.given))
	}
	s.setDefaults()
	s.finishLists(r)
	r.finish()
	if err := s.checkLoop(s.Upstream); err != nil {
		r.fail(place{1, 1}, "%v", err)
	}
	slices.SortStableFunc(r.mistakes, func(a, b Error) int { return a.Line - b.Line })
	return s, r.mistakes.err()
}

// fields are the keys of the settings, and what reads them.
func (s *Settings) fields(r *reader) fields {
	return fields{
		"listen":   some(r, &s.Listen, parseListenText),
		"upstream": some(r, &s.Upstream, upstream.ParseEndpoint),
		"state":    func(n *yaml.Node) { one(r, &s.State, s.path)(n); s.fileAt[s.State] = placeOf(n) },
		"clients":  some(r, &s.Clients, parseNetwork),
		"local":    func(n *yaml.Node) { s.Local = []string{}; many(r, &s.Local, parseSpecial)(n) },
		"metrics":  one(r, &s.Metrics, parseMetrics),
		"cache":    one(r, &s.Cache, parseSize),
		"lists":    func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readList(r, item) }) },
		"allow":    s.files(r, &s.Allow),
		"quorum":   func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readQuorum(r, item) }) },
		"views":    func(n *yaml.Node) { r.sequence(n, func(item *yaml.Node) { s.readView(r, item) }) },
		"guard":    func(n *yaml.Node) { s.readGuard(r, n) },

		"structured_errors": one(r, &s.StructuredErrors, parseOption),

		"rate_limit":     func(n *yaml.Node) { s.readRateLimit(r, n) },
		"pprof":          one(r, &s.Pprof, parsePprof),
		"cookie_secrets": func(n *yaml.Node) { one(r, &s.CookieSecrets, s.path)(n); s.fileAt[s.CookieSecrets] = placeOf(n) },
	}
}

// files reads a list of paths.
func (s *Settings) files(r *reader, dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var path string
			if one(r, &path, s.path)(item); path != "" {
				*dst = append(*dst, path)
				s.fileAt[path] = placeOf(item)
			}
		})
	}
}

// readGuard reads what the guards know.
func (s *Settings) readGuard(r *reader, n *yaml.Node) {
	r.mapping(n, fields{
		"max_growth": one(r, &s.Guard.MaxGrowth, guard.ParseShare),
		"max_shrink": one(r, &s.Guard.MaxShrink, guard.ParseShare),
		"protected":  s.files(r, &s.Guard.Protected),
		"popular":    s.files(r, &s.Guard.Popular),
	})
}

// readList reads one list, and checks what its keys mean together.
func (s *Settings) readList(r *reader, n *yaml.Node) {
	l := List{Rule: dnsfilter.Rule{Action: dnsfilter.NXDomain}, place: placeOf(n)}
	given := map[string]bool{}
	known := fields{
		"name":     one(r, &l.Rule.List, parseListName),
		"root":     one(r, &l.Root, s.path),
		"from":     many(r, &l.From, s.origin),
		"identity": one(r, &l.Identity, s.path),
		"receipts": one(r, &l.Receipts, s.path),
		"file":     one(r, &l.File, s.path),
		"format":   one(r, &l.Format, formats.Parse),
		"scope":    one(r, &l.Scope, parseScope),
		"zone":     one(r, &l.Zone, parseZone),
		"guard":    one(r, &l.Unguarded, parseGuardOff),
		"action":   one(r, &l.Action, dnsfilter.ParseAction),
		"sinkhole": many(r, &l.Sinkhole, parseAddr),
		"ede":      one(r, &l.Reason, dnsfilter.ParseReason),

		"divert":     many(r, &l.Divert, parseAddr),
		"stop_page":  many(r, &l.StopPage, parseStopPage),
		"notice":     func(n *yaml.Node) { r.readNotice(n, &l.Notice) },
		"categories": func(n *yaml.Node) { r.readCategories(n, &l.Categories) },
	}
	before := len(r.mistakes)
	r.mapping(n, known.noting(given))
	if given["from"] && !given["ede"] {
		l.Reason = dnsfilter.Censored
	}
	l.implied = !given["action"]
	if i := slices.IndexFunc(s.Lists, func(o List) bool { return o.Rule.List == l.Rule.List }); i >= 0 && l.Rule.List != "" {
		r.fail(l.place, "list %q is there already, at line %d", l.Rule.List, s.Lists[i].place.line)
	}
	if len(r.mistakes) == before {
		for _, why := range l.contradictions(given) {
			r.fail(l.place, "%s", why)
		}
	}
	l.broken = len(r.mistakes) > before
	s.Lists = append(s.Lists, l)
}

// contradictions says what is missing or too much.
func (l *List) contradictions(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(!given["name"], "a list needs a name")
	note(given["file"] && (given["from"] || given["root"]), "a list has either a file, or from and root")
	note(!given["file"] && !given["from"], "a list needs from (origins) and root, or a file")
	note(given["from"] && !given["root"], "a signed list needs its root: the file that the agency hands out")
	note(given["root"] && !given["from"] && !given["file"], "a signed list needs from: the origins to get it from")
	note(given["identity"] && !given["from"], "identity is for signed lists: it opens one that is confidential")
	note(given["divert"] && len(l.Divert) == 0, "divert names no address of a proxy")
	note(given["from"] && len(l.From) == 0, "from names no origin")
	note(given["receipts"] && !given["from"], "receipts are for signed lists, which have an origin")
	return append(why, l.strayKeys(given)...)
}

// strayKeys says which keys are for files, and the list is none of a kind that has them.
func (l *List) strayKeys(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(given["from"] && (given["format"] || given["scope"]), "format and scope are for files; a signed list says itself what it means")
	note(given["from"] && (given["zone"] || given["stop_page"]), "zone and stop_page are for files; a signed list says itself what it means")
	note(given["zone"] && l.Format != "" && l.Format != formats.Auto && l.Format != formats.RPZ, "zone is for files of format rpz")
	note(given["guard"] && !given["file"], "guard: off is for files; the guards of signed lists are always on")
	return why
}

// path makes a path of the settings absolute.
func (s *Settings) path(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("a path is needed")
	case strings.Contains(text, "://"):
		return "", files.NotURL(text)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("path %q: it has a line break or another control character", text)
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(s.File), text)
	}
	return filepath.Abs(text)
}

// origin reads a base URL, or the path of a folder.
func (s *Settings) origin(text string) (string, error) {
	if !strings.Contains(text, "://") {
		return s.path(text)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("origin %q: write https://host, or the path of a folder", text)
	}
	return text, nil
}

func parseListenText(text string) (string, error) {
	_, _, err := dnsfilter.ParseListen(text)
	return text, err
}

// parseZone reads the name of a zone.
func parseZone(text string) (string, error) {
	name, err := blocklist.ParseName(text)
	if err != nil {
		return "", fmt.Errorf("zone %q: %w", text, err)
	}
	return name.String(), nil
}

// parseStopPage reads the address of a page, or its name.
func parseStopPage(text string) (string, error) {
	if _, err := parseAddr(text); err == nil {
		return text, nil
	}
	if _, err := blocklist.ParseName(text); err != nil {
		return "", fmt.Errorf("stop_page %q: write an address or a name", text)
	}
	return text, nil
}

// parseGuardOff reads off: there is nothing else to say.
func parseGuardOff(text string) (off bool, err error) {
	if text != "off" {
		return false, fmt.Errorf("guard %q: a list has the guards of the settings, or guard: off", text)
	}
	return true, nil
}

func parseScope(text string) (blocklist.Scope, error) {
	for _, s := range []blocklist.Scope{blocklist.ScopeDomain, blocklist.ScopeHost} {
		if text == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q: there are domain and host", text)
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no IP address", text)
	}
	return a.Unmap(), nil
}

// parseNetwork reads a network, or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := parseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return p, fmt.Errorf("network %q: write it like 192.0.2.0/24 or 2001:db8::/32", text)
	}
	return p, nil
}

// parseSize reads a number of bytes, with KiB, MiB or GiB after it if one likes. A few bytes are taken for a forgotten unit.
func parseSize(text string) (int64, error) {
	digits, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if before, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = strings.TrimSpace(before), 10*(i+1)
		}
	}
	n, err := parseDecimal(digits)
	switch most := int64(1) << 40 >> shift; {
	case err != nil || n > most:
		return 0, fmt.Errorf("size %q: write it like 64MiB, in decimal, at most 1024GiB", text)
	case shift == 0 && n > 0 && n < 1<<20:
		return 0, fmt.Errorf("size %q: that many bytes? write it with its unit, like %dMiB", text, n)
	}
	return n << shift, nil
}

// parseDecimal reads a number without a sign. Neither 0x10 nor 1_0 is one, nor 010, which some read as octal.
func parseDecimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text || n < 0 {
		return 0, errors.New("a decimal number is needed")
	}
	return n, nil
}

// parseMetrics reads the address for metrics.
func parseMetrics(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("metrics %q: write an IP address and a port, like 127.0.0.1:9153", text)
	}
	return at, nil
}

// parsePprof reads the address for profiles. They show what is in memory, names and addresses included, to whoever asks.
func parsePprof(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 || !at.Addr().IsLoopback() {
		return at, fmt.Errorf("pprof %q: write a loopback address and a port, like 127.0.0.1:6060", text)
	}
	return at, nil
}
