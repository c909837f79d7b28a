package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

func TestReadSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", `
# all that may be said
listen: [udp://127.0.0.1:5300, "tcp://[::1]:5300"]
upstream: [192.0.2.53, "[2001:db8::53]:5353"]
state: /var/lib/dnsfilter
cache: 16 MiB
clients: [192.0.2.0/24, "2001:db8::1"]
metrics: 127.0.0.1:9153
stop_page: {listen: [http://192.0.2.80:80, "https://[2001:db8::80]:443/"], blocked_by: https://isp.example/, templates: pages}
local: [10.in-addr.arpa]
lists:
  - name: it.example/csam
    root: csam.root.json
    from: [https://origin.example, /mnt/mirror]
    action: sinkhole
    sinkhole: [192.0.2.80, "2001:db8::80"]
  - {name: local, file: lists/local.txt, format: hosts, scope: domain, action: nodata, ede: filtered}
  - name: plain
    file: /etc/plain.txt
  - {name: counted, file: a.txt, categories: {csam: refused, other: pass}}
  - {name: alone, file: b.txt, action: monitor}
allow:
  - allow.txt
quorum:
  - {lists: [counted, alone, plain], at_least: 2, action: nodata, ede: none}
views:
  - clients: [192.0.2.128/25]
    lists: [it.example/csam, plain, counted]
    actions: {it.example/csam: nxdomain, counted: monitor}
  - {clients: [192.0.2.1], lists: []}
`))
	require.NoError(t, err)
	assert.Equal(t, []string{"udp://127.0.0.1:5300", "tcp://[::1]:5300"}, s.Listen)
	assert.Equal(t, []upstream.Endpoint{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}, {Addr: netip.MustParseAddrPort("[2001:db8::53]:5353")}}, s.Upstream)
	assert.Equal(t, "/var/lib/dnsfilter", s.State)
	assert.EqualValues(t, 16<<20, s.Cache)
	assert.Equal(t, netip.MustParseAddrPort("127.0.0.1:9153"), s.Metrics)
	assert.Equal(t, config.StopPage{
		HTTP: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.80:80")}, HTTPS: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::80]:443")},
		BlockedBy: "https://isp.example/", Templates: filepath.Join(dir, "pages"),
	}, s.StopPage)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}, s.Clients)
	assert.Equal(t, []string{filepath.Join(dir, "allow.txt")}, s.Allow)
	require.Len(t, s.Lists, 5)

	signed, local, plain := s.Lists[0], s.Lists[1], s.Lists[2]
	assert.Equal(t, dnsfilter.Rule{
		List: "it.example/csam", Action: dnsfilter.Sinkhole, Reason: dnsfilter.Censored,
		Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")},
	}, signed.Rule)
	assert.Equal(t, filepath.Join(dir, "csam.root.json"), signed.Root)
	assert.Equal(t, []string{"https://origin.example", "/mnt/mirror"}, signed.From)
	assert.Equal(t, dnsfilter.Rule{List: "local", Action: dnsfilter.NoData, Reason: dnsfilter.Filtered}, local.Rule)
	assert.Equal(t, filepath.Join(dir, "lists", "local.txt"), local.File)
	assert.Equal(t, formats.Hosts, local.Format)
	assert.Equal(t, blocklist.ScopeDomain, local.Scope)
	assert.Equal(t, dnsfilter.Rule{List: "plain", Action: dnsfilter.Pass, Reason: dnsfilter.Blocked}, plain.Rule)

	p := s.Policy()
	assert.Len(t, p.Rules, 5)
	server := s.Server()
	assert.Equal(t, s.Clients, server.Clients)
	assert.Len(t, server.SpecialUse, 2, "and resolver.arpa")
	require.Len(t, p.Allow, 1)
	assert.Regexp(t, `^allow/allow-[0-9a-f]{8}$`, p.Allow[0])
	assert.NoError(t, blocklist.CheckListName(p.Allow[0]))
	checkQuorumAndViews(t, p)
}

func checkQuorumAndViews(t *testing.T, p dnsfilter.Policy) {
	t.Helper()
	assert.Equal(t, dnsfilter.Rule{
		List: "counted", Categories: map[string]dnsfilter.Action{"csam": dnsfilter.Refused, "other": dnsfilter.Pass},
	}, p.Rules[3], "a list of a quorum does not act alone")
	assert.Equal(t, dnsfilter.Monitor, p.Rules[4].Action, "unless it says so")
	quorum := dnsfilter.Quorum{
		Rule: dnsfilter.Rule{List: "quorum/1", Action: dnsfilter.NoData, Reason: dnsfilter.NoReason}, Lists: []string{"counted", "alone", "plain"}, AtLeast: 2,
	}
	assert.Equal(t, []dnsfilter.Quorum{quorum}, p.Quorums)
	require.Len(t, p.Views, 2)
	quorum.Lists = []string{"counted", "plain"}
	signed := p.Rules[0]
	signed.Action = dnsfilter.NXDomain
	assert.Equal(t, dnsfilter.View{
		Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}, Allow: p.Allow, Quorums: []dnsfilter.Quorum{quorum},
		Rules: []dnsfilter.Rule{signed, p.Rules[2], {List: "counted", Action: dnsfilter.Monitor}},
	}, p.Views[0])
	assert.Empty(t, p.Views[1].Rules)
}

func TestDefaultsOfSettings(t *testing.T) {
	state := t.TempDir()
	t.Setenv("STATE_DIRECTORY", state+":/elsewhere")
	empty, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", "# nothing\n"))
	require.NoError(t, err)
	for _, s := range []*config.Settings{empty, config.Default()} {
		assert.Equal(t, []string{"udp://127.0.0.1:5353", "tcp://127.0.0.1:5353"}, s.Listen)
		assert.Equal(t, state, s.State)
		assert.EqualValues(t, dnsfilter.DefaultCache, s.Cache)
	}
	t.Setenv("STATE_DIRECTORY", "")
	assert.Equal(t, "dnsfilter", filepath.Base(config.Default().State))
}

func TestMistakesInSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown keys", "lisst: []\nlists:\n  - name: a\n    file: a\n    colour: red\n", []string{`1:1: unknown setting "lisst"; do you mean lists?`, `5:5: unknown setting "colour"; there are action, allow_http`}},
		{"quorums", "quorum:\n  - {lists: [a, b, b], at_least: 0}\n  - {lists: [a, none], at_least: 3}\n  - {at_least: 1, action: x}\n  - {lists: [a, b], at_least: 1, action: sinkhole}\n  - {lists: [a], at_least: 1}\nlists:\n  - {name: a, file: a}\n  - {name: b, file: b}\n", []string{
			`2:20: list "b" is named twice`, `2:34: number "0"`, "3:6: a quorum needs at_least: how many of its 2 lists", `3:17: there is no list "none"`,
			`4:27: unknown action "x"`, "5:6: the action sinkhole needs addresses", "6:6: a quorum needs lists: two",
		}},
		{"notices", "structured_errors: 12\nlists:\n  - name: a\n    file: a\n    notice:\n      authority: \"a\\tb\"\n      contact: [abuse@example.org, 'https://example.org', mailto:a@b.example]\n      language: it_IT\n" +
			"  - {name: b, file: b, notice: {contact: ['tel:+1']}}\n  - {name: c, file: c, notice: {authority: x, contact: ['tel:1', 'tel:2', 'tel:3', 'tel:4']}}\n", []string{
			`1:20: an EDNS option`, `6:18: text "a\tb"`, `7:17: contact "abuse@example.org"`, `7:36: contact "https://example.org"`, `8:17: language "it_IT"`, "9:33: a notice needs the authority", "10:33: a notice has 3 contacts at most",
		}},
		{"views", "clients: [192.0.2.0/24]\nviews:\n  - {clients: [192.0.2.0/25, 192.0.2.0/25, 198.51.100.0/24, x]}\n  - {clients: [192.0.2.0/25], lists: [none]}\n  - {lists: []}\n" +
			"  - clients: [192.0.2.128/26]\n    lists: [a]\n    actions:\n      a: sinkhole\n      b: nodata\n      c: x\nlists:\n  - {name: a, file: a}\n  - {name: b, file: b}\n", []string{
			"3:30: network 192.0.2.0/25 has a view already", `3:61: network "x"`, "3:44: no one in 198.51.100.0/24 is served",
			"4:16: network 192.0.2.0/25 has a view already", `4:39: there is no list "none"`, "5:6: a view needs clients",
			`9:10: list "a" has no sinkhole`, `10:7: list "b" is not among the lists of this view`, `11:10: unknown action "x"`, `11:7: there is no list "c"`,
		}},
		{"categories", "lists:\n  - {name: a, file: a, categories: {csam: sinkhole}}\n  - {name: b, file: b, categories: {csam: explode, x: }}\n  - {name: quorum/1, file: c, categories: [x]}\n", []string{
			"2:6: the action sinkhole needs addresses", `3:43: unknown action "explode"`, `3:52: "x" has no value`, `4:12: list name "quorum/1"`, "4:43: keys and values",
		}},
		{"guards", "guard:\n  max_growth: much\n  max_shrink: -1%\n  protected: file\n  popular: [a, {}]\n  colour: red\n  built_in: maybe\n", []string{
			`2:15: share "much"`, `3:15: share "-1%"`, "4:14: a list is needed", "5:16: a single value", `6:3: unknown setting "colour"`, `7:13: built_in "maybe": it is on or off`,
		}},
		{"no YAML", "lists: [a, b", []string{"1:8: a comma or ] is needed"}},
		{"a key twice", "state: a\ncache: 1MiB\nstate: b\n", []string{`3:1: key "state" is there already, at line 1`}},
		{"an address with brackets", "listen: [udp://[::1]:53]\n", []string{"1:16: a comma or ] is needed: close the list, and put a value with a bracket"}},
		{"an address of colons", "lists:\n  - {name: a, file: a, sinkhole: [::]}\n", []string{"2:35: a single value is needed here; put one with a colon, a bracket or a brace in quotes"}},
		{"aliases", "state: &here x\ncache: *here\nlists: [*here]\n", []string{"1:8: the anchor &here is not read", "2:8: the alias *here is not read", "3:9: the alias *here"}},
		{"an alias without an anchor", "lists:\n  - {name: a, file: a, action: *nodata}\n", []string{"2:32: a value that begins with * is an alias: put it in quotes"}},
		{"merge keys", "guard: {<<: {max_growth: 5%}}\n", []string{"1:9: the merge key << is not read"}},
		{"tags", "state: !x a\ncache: !!int 1\nlisten: !!seq [a]\nguard: ! {}\n", []string{"1:8: the tag !x is not read", "2:8: the tag !!int", "3:9: the tag !!seq", "4:8: the tag !"}},
		{"keys of many", "? [a]\n: b\n{a: b}: c\n", []string{"1:3: a key is a word", "3:2: a key is a word"}},
		{"tabs", "lists:\n\t- a\n", []string{"2:1: nothing begins with this character"}},
		{"quotes", "state: 'a\ncache: 1MiB\n", []string{"1:8: a quote is opened here and never closed"}},
		{"two colons", "state: a: b\n", []string{"1:9: a colon and a blank are not allowed here"}},
		{"numbers that are not decimal", "cache: 0x10\nrate_limit: {per_second: 010, slip: 1_0}\nquorum: [{lists: [a, b], at_least: 0b1}]\nlists: [{name: a, file: a}, {name: b, file: b}]\n", []string{
			`1:8: size "0x10"`, `2:26: number "010": write one from 0 to 1000000, in decimal`, `2:37: number "1_0"`, `3:36: number "0b1"`,
		}},
		{"a size without its unit", "cache: 64\n", []string{`1:8: size "64": that many bytes? write it with its unit, like 64MiB`}},
		{"empty lists", "listen: []\nupstream: []\nclients: []\n", []string{"1:9: the list is empty", "2:11: the list is empty", "3:10: the list is empty"}},
		{"URLs for files", "allow: [https://x.example]\nlists:\n  - {name: a, file: http://l.example/hosts}\n  - {name: b, root: https://o.example/root.json, from: [https://o.example], identity: file:///x, receipts: x://y}\n" +
			"guard: {protected: [https://p.example/]}\ncookie_secrets: https://c.example\n", []string{
			`1:9: "https://x.example" is a URL, and a file is needed here`, "3:21: ", "4:21: ", "4:87: ", "4:108: ", "5:21: ", "6:17: ",
		}},
		{"paths of two lines", "state: |\n  a\n  b\n", []string{`1:8: path "a\nb": it has a line break`}},
		{"UTF-16", "\xff\xfes\x00:\x00", []string{"1:1: the file is UTF-16 or no text: save it as UTF-8"}},
		{"UTF-16 without a mark", "s\x00:\x00", []string{"1:1: the file is UTF-16"}},
		{"not UTF-8", "# caf\xe9\nstate: a\n", []string{"1:6: this is not UTF-8"}},
		{"control characters", "state: a\n# \x1b[0m\n", []string{`2:3: the control character '\x1b' is not allowed`}},
		{"deep lists", strings.Repeat("[", 100_000), []string{"1:21: lists and mappings stand too deep"}},
		{"deep mappings", strings.Repeat("{a: ", 100_000), []string{"1:81: lists and mappings stand too deep"}},
		{"deep blocks", strings.Repeat("- ", 100_000), []string{"1:41: lists and mappings stand too deep"}},
		{"nothing", "", []string{"1:1: the file is empty"}},
		{"blanks alone", "  \n\n  \n", []string{"1:1: the file is empty"}},
		{"a document of nothing", "---\n...\n", []string{"1:1: the file is empty"}},
		{"no mapping", "- a\n", []string{"1:1: keys and values are needed"}},
		{"two documents", "state: a\n---\nstate: b\n", []string{"3:1: a second document"}},
		{"no value", "state:\nallow: []\n", []string{`1:1: "state" has no value`}},
		{"no list", "listen: udp://127.0.0.1:53\n", []string{"1:9: a list is needed"}},
		{"a list for a value", "state: [a]\n", []string{"1:8: a single value"}},
		{"addresses", "listen: [127.0.0.1:53, udp://host:53]\nupstream: [dns.example]\n", []string{
			`1:10: address "127.0.0.1:53"`, `1:24: address "udp://host:53"`, `2:12: resolver "dns.example"`,
		}},
		{"a loop", "listen: [udp://127.0.0.1:53]\nupstream: [127.0.0.1]\n", []string{"resolver 127.0.0.1:53 is this server itself"}},
		{"a loop by a mapped address", "listen: [udp://127.0.0.1:53]\nupstream: ['::ffff:127.0.0.1']\n", []string{"is this server itself"}},
		{"a loop by no address", "listen: [udp://127.0.0.1:53]\nupstream: [0.0.0.0]\n", []string{"is this server itself"}},
		{"a loop by loopback", "listen: ['tcp://[::]:53']\nupstream: ['::1']\n", []string{"resolver [::1]:53 is this server itself"}},
		{"networks", "clients: [192.0.2.1/24, all]\n", []string{`1:11: network "192.0.2.1/24"`, `1:25: network "all"`}},
		{"no address for metrics", "metrics: 9153\n", []string{`1:10: metrics "9153"`}},
		{"a stop page", "stop_page: 192.0.2.80:80\n", []string{`1:12: address "192.0.2.80:80"`}},
		{"a stop page over TLS alone", "stop_page: https://192.0.2.80:443\n", []string{"1:12: a stop page needs listen, with an address of http"}},
		{"keys of a stop page", "stop_page: {listen: [http://192.0.2.80:80, https://192.0.2.80:80], blocked_by: isp.example, texts: a}\n", []string{
			"1:44: address 192.0.2.80:80 is there already", `1:80: page "isp.example"`, `1:93: unknown setting "texts"`,
		}},
		{"profiles for everybody", "pprof: 192.0.2.1:6060\n", []string{`1:8: pprof "192.0.2.1:6060"`}},
		{"encrypted resolvers", "upstream: [tls://192.0.2.53]\n", []string{`1:12: resolver "tls://192.0.2.53"`}},
		{"rate limits", "rate_limit: {per_second: -1, slip: much, burst: 2}\n", []string{`1:26: number "-1"`, `1:36: number "much"`, `1:42: unknown setting "burst"`}},
		{"zones that are not special", "local: [example.org]\n", []string{`1:9: zone "example.org" is not special`}},
		{"forward zones", "listen: [udp://127.0.0.1:53]\nforward:\n  corp.example: [10.0.0.1, dns.example]\n  a..example: [10.0.0.1]\n  .: [10.0.0.1]\n  lab.example: []\n  CORP.example: 10.0.0.1\n  b.example: [192.0.2.1]\n  B.example: [192.0.2.1]\n  c.example: [127.0.0.1]\n", []string{
			`3:28: resolver "dns.example"`, `4:3: zone "a..example"`, `5:3: zone "."`, "6:16: the list is empty", "7:17: a list is needed", `9:3: zone "b.example" is there already`,
			"10:14: resolver 127.0.0.1:53 is this server itself",
		}},
		{"server IDs", "server_id: {nsid: 'ns\u00e9', version: maybe, name: x}\n", []string{`1:19: server ID "nsé": malformed`, `1:35: value "maybe": it is on or off`, `1:42: unknown setting "name"`}},
		{"no name of a server", "server_id: {nsid: ''}\n", []string{"1:19: a name of this server is needed"}},
		{"TTLs", "block_ttl: 30\nlists:\n  - {name: a, file: a, ttl: 25h}\n  - {name: b, file: b, ttl: 0s}\nquorum:\n  - {lists: [a, b], at_least: 2, ttl: 1.5s}\n", []string{
			`1:12: duration "30": write it in seconds, minutes or hours, like 30s, from 1s to 24h0m0s`, `3:29: duration "25h"`, `4:29: duration "0s"`, `6:39: duration "1.5s"`,
		}},
		{"expired answers", "stale: {serve: often, max: 169h, from: 1s}\n", []string{`1:16: value "often"`, `1:28: duration "169h"`, `1:34: unknown setting "from"`}},
		{"canaries", "canaries:\n  use-application-dns.net: refused\n  example.org: nxdomain\n", []string{
			`2:28: action "refused": a canary name is answered with nxdomain or nodata`, `3:3: "example.org" is no canary name: there are use-application-dns.net`,
		}},
		{"sizes", "cache: much\n", []string{`1:8: size "much"`}},
		{"negative size", "cache: -1\n", []string{`1:8: size "-1"`}},
		{"huge size", "cache: 9999999999GiB\n", []string{`1:8: size "9999999999GiB"`}},
		{"words", "lists:\n  - {name: a, file: a, action: block, ede: x, scope: url, format: xml}\n", []string{
			`2:32: unknown action "block"`, `2:44: unknown reason "x"`, `2:54: unknown scope "url"`, `2:67: format "xml"`,
		}},
		{"names", "lists:\n  - {name: Upper, file: a}\n  - {name: allow/x, file: b}\n  - {name: a, file: c}\n  - {name: a, file: d}\n", []string{
			`2:12: list name "Upper"`, `3:12: list name "allow/x"`, `5:6: list "a" is there already, at line 4`,
		}},
		{"no name", "lists:\n  - file: a\n", []string{"2:5: a list needs a name"}},
		{"file and from", "lists:\n  - {name: a, file: a, from: [https://o.example], root: r}\n", []string{"2:6: a list has either a file, or from and root"}},
		{"neither", "lists:\n  - name: a\n", []string{"2:5: a list needs from (origins) and root, or a file, a url, or a primary"}},
		{"no root", "lists:\n  - {name: a, from: [https://o.example]}\n", []string{"2:6: a signed list needs its root"}},
		{"no origin", "lists:\n  - {name: a, root: r, from: []}\n", []string{"2:6: from names no origin"}},
		{"strange origins", "lists:\n  - {name: a, root: r, from: [ftp://o.example, 'https://']}\n", []string{`2:31: origin "ftp://o.example"`, `2:48: origin "https://"`}},
		{"identity of a file", "lists:\n  - {name: a, file: a, identity: isp.age}\n", []string{"identity is for signed lists"}},
		{"format of a signed list", "lists:\n  - {name: a, root: r, from: [https://o.example], scope: host}\n", []string{"format and scope are for files"}},
		{"sinkhole without addresses", "lists:\n  - {name: a, file: a, action: sinkhole}\n", []string{"the action sinkhole needs addresses"}},
		{"addresses without sinkhole", "lists:\n  - {name: a, file: a, sinkhole: [192.0.2.1]}\n", []string{"used by the action sinkhole only"}},
		{"addresses and a name", "lists:\n  - {name: a, file: a, action: sinkhole, sinkhole: [192.0.2.80, walled.example.org]}\n", []string{"2:52: a sinkhole is some addresses, or one name"}},
		{"bad addresses", "lists:\n  - {name: a, file: a, action: sinkhole, sinkhole: [192.0.2.300, 'fe80::1%eth0']}\n", []string{`"192.0.2.300" is no IP address`, `"fe80::1%eth0" is no IP address`}},
	} {
		path := writeFile(t, t.TempDir(), "dnsfilter.yaml", c.text)
		_, err := config.Read(path)
		mistakes, ok := errors.AsType[config.Errors](err)
		require.True(t, ok, "%s: %v", c.name, err)
		require.Len(t, mistakes, len(c.want), "%s: %v", c.name, err)
		for i, want := range c.want {
			assert.Contains(t, strings.TrimPrefix(mistakes[i].Error(), path+":"), want, c.name)
		}
	}
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := config.Read(filepath.Join(dir, "none.yaml"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = config.Read(writeFile(t, dir, "big.yaml", strings.Repeat("# comment\n", 200_000)))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "good.txt", "example.com\n")
	writeFile(t, dir, "page.html", "<!DOCTYPE html>\n<html><body>not found</body></html>\n")
	writeFile(t, dir, "bad.root.json", "{}")
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", `
lists:
  - {name: good, file: good.txt}
  - {name: missing, file: missing.txt}
  - {name: page, file: page.html}
  - {name: folder, file: .}
  - {name: rootless, root: none.json, from: [https://o.example]}
  - {name: badroot, root: bad.root.json, from: [https://o.example]}
allow:
  - good.txt
  - none.txt
`))
	require.NoError(t, err)
	mistakes, ok := errors.AsType[config.Errors](s.CheckFiles())
	require.True(t, ok)
	var lines []int
	for _, m := range mistakes {
		lines = append(lines, m.Line)
	}
	assert.Equal(t, []int{4, 5, 6, 7, 8, 11}, lines, mistakes)
	assert.ErrorContains(t, mistakes, "bad.root.json: reading the root: root: malformed")
	assert.ErrorContains(t, mistakes, "the root of a list is the file root.json of its agency")
}

func TestBlockTTL(t *testing.T) {
	t.Parallel()
	s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", `
block_ttl: 5m
lists:
  - {name: a, file: a, ttl: 10s}
  - {name: b, file: b}
quorum:
  - {lists: [a, b], at_least: 2, ttl: 1h}
  - {lists: [a, b], at_least: 1}
`))
	require.NoError(t, err)
	p := s.Policy()
	assert.Equal(t, []uint32{10, 300, 3600, 300}, []uint32{p.Rules[0].TTL, p.Rules[1].TTL, p.Quorums[0].TTL, p.Quorums[1].TTL})
}

func TestStale(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dnsfilter.Stale{
		"# none\n": {}, "stale: {serve: true, max: 1h}\n": {Max: time.Hour}, "stale: {serve: off}\n": {Off: true},
	} {
		s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", text))
		require.NoError(t, err)
		assert.Equal(t, want, s.Server().Stale)
	}
}

func TestServerID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]dnsfilter.ServerID{
		"# none\n": {}, "server_id: {nsid: ns1, version: false}\n": {NSID: "ns1"}, "server_id: {version: on}\n": {Version: "dnsfilter (devel)"},
	} {
		s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", text))
		require.NoError(t, err)
		assert.Equal(t, want, s.Server().ServerID)
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", "upstream: [192.0.2.53]\nstate: state\nrecords: local.zone\n"))
	require.NoError(t, err)
	assert.Contains(t, s.OwnFiles(), filepath.Join(dir, "local.zone"))
	assert.ErrorContains(t, s.CheckFiles(), "dnsfilter.yaml:3:10: ", "there is no such file")
	path := writeFile(t, dir, "local.zone", "a.example A 192.0.2.1\nb.example A x\n")
	for _, err := range []error{s.CheckFiles(), func() error { _, err := s.LoadServer(); return err }()} {
		mistakes, ok := errors.AsType[config.Errors](err)
		require.True(t, ok, "%v", err)
		require.Len(t, mistakes, 1)
		assert.Equal(t, []any{path, 2}, []any{mistakes[0].File, mistakes[0].Line})
		assert.NotContains(t, mistakes[0].Text, "line")
	}
	writeFile(t, dir, "local.zone", "a.example A 192.0.2.1\n")
	require.NoError(t, s.CheckFiles())
	c, err := s.LoadServer()
	require.NoError(t, err)
	zone, _ := c.OwnZone([]byte("\x01a\x07example\x00"))
	assert.Equal(t, "a.example", zone.String())
}

func TestOverride(t *testing.T) {
	t.Parallel()
	s := config.Default()
	require.NoError(t, s.Override([]string{"127.0.0.1:5300", "udp://127.0.0.1:5301"}, []string{"192.0.2.53"}, []string{"x/Hosts File.txt", "y/hosts-file.csv", "...."}))
	assert.Equal(t, []string{"udp://127.0.0.1:5300", "tcp://127.0.0.1:5300", "udp://127.0.0.1:5301"}, s.Listen)
	assert.Equal(t, []upstream.Endpoint{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}}, s.Upstream)
	var names []string
	for _, l := range s.Lists {
		names = append(names, l.Rule.List)
		assert.Equal(t, dnsfilter.NXDomain, l.Action)
		assert.True(t, filepath.IsAbs(l.File))
		assert.NoError(t, blocklist.CheckListName(l.Rule.List))
	}
	assert.Equal(t, []string{"hosts-file", "hosts-file-2", "file"}, names)
	assert.Error(t, config.Default().Override([]string{"nowhere"}, nil, nil))
	assert.Error(t, config.Default().Override(nil, []string{"nowhere"}, nil))
	assert.ErrorContains(t, config.Default().Override(nil, []string{"127.0.0.1:5353"}, nil), "this server itself")
}

// What is written counts, not what YAML takes it for.
func TestSettingsAsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", "\ufeff# a mark and a version\r\n%YAML 1.2\n---\n"+`
"listen": ["udp://[::1]:53",
  'tcp://[::1]:53',	]
state: >-
  a
  folder
cookie_secrets: |
  1.10
lists:
  - {name: 2026.10, file: 0123, sinkhole: [2001:db8::80], action: sinkhole}
  - {"name":"0x1f","file":0x10,"notice":{"authority":"x","contact":[mailto:a@b.example]}}
  - {name: 1e3, root: .inf, from: [http://h:8471, 010]}
  - ? name
    : "010"
    file: yes
quorum: [{lists: [2026.10, 010], at_least: 2}]
views: [{clients: [2001:db8::/32], actions: {2026.10: nodata, 1e3: refused}}]
clients: [2001:db8::/32]
`))
	require.NoError(t, err)
	assert.Equal(t, []string{"udp://[::1]:53", "tcp://[::1]:53"}, s.Listen)
	assert.Equal(t, []string{filepath.Join(dir, "a folder"), filepath.Join(dir, "1.10")}, []string{s.State, s.CookieSecrets})
	var names, files []string
	for _, l := range s.Lists {
		names = append(names, l.Rule.List)
		files = append(files, filepath.Base(l.File+l.Root))
	}
	assert.Equal(t, []string{"2026.10", "0x1f", "1e3", "010"}, names)
	assert.Equal(t, []string{"0123", "0x10", ".inf", "yes"}, files)
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("2001:db8::80")}, s.Lists[0].Sinkhole)
	assert.Equal(t, []string{"mailto:a@b.example"}, s.Lists[1].Notice.Contact)
	assert.Equal(t, []string{"http://h:8471", filepath.Join(dir, "010")}, s.Lists[2].From)
	assert.Equal(t, []string{"2026.10", "010"}, s.Quorums[0].Lists)
	assert.Equal(t, map[string]dnsfilter.Action{"2026.10": dnsfilter.NoData, "1e3": dnsfilter.Refused}, s.Views[0].Actions)
}

// FuzzSettings reads any text as settings: it never panics, and each mistake has a place and a text.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"", "listen: [udp://127.0.0.1:53]", "lists:\n  - {name: a, file: b, action: sinkhole, sinkhole: [192.0.2.1]}\n",
		"a: &x {b: *x}", "? [a]\n: b\n", "<<: {a: b}\n", "lists: [[[[", "cache: 1e3", "state: !!binary aGk=", "state: |\n  a\n",
		"%YAML 1.2\n---\na: b\n...\n", "a: &a [*a]\n", "a: {b: [::], c: 'd'}\n", "\ufeffa: b\r\n", "state: >-\n  a\n\n  b\nclients: []\n", "a: \"\\x00\"\n",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		_, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", text))
		mistakes, ok := errors.AsType[config.Errors](err)
		for _, m := range mistakes {
			assert.True(t, m.Line >= 1 && m.Column >= 1 && m.Text != "", m)
		}
		assert.True(t, err == nil || ok || errors.Is(err, blocklist.ErrTooLarge), err)
	})
}
