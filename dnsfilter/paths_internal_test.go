package dnsfilter

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/longtest"
)

// pathsServer has a list for each action, and a zone in which some names exist.
func pathsServer(t testing.TB) *Server {
	t.Helper()
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	var p Policy
	for action := Monitor; action <= Sinkhole; action++ {
		rule := Rule{List: action.String(), Action: action, Reason: Censored}
		if action != NoData {
			rule.Notice = Notice{Authority: "The authority for " + rule.List}
		}
		if action == Sinkhole {
			rule.Sinkhole = []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")}
		}
		if action == Refused {
			rule.Divert = []netip.Addr{netip.MustParseAddr("192.0.2.90")}
		}
		p.Rules = append(p.Rules, rule)
		lines := rule.List + ".test ref=\"" + strings.Repeat("order 2026/17, ", 20) + "\"\n=host." + rule.List + ".example\n198.51.100.0/24\nhttps://paths.example/" + rule.List + "\n"
		require.NoError(t, store.SetLocal(rule.List, "test", lineEntries(lines)))
	}
	zone, err := upstream.NewZone("$TTL 86400\n*. A 192.0.2.1\n*. TXT \"x\" \"y\"\nalias.test. CNAME b.test.\n" +
		"chain.test. CNAME a.sinkhole.test.\ngone.test. CNAME a.nxdomain.test.\nlost.test. CNAME drop.test.\n_https.test. HTTPS 1 x.nxdomain.test.\nip.test. A 198.51.100.1\n. SOA a. b. 1 2 3 4 86400\n") // nothing is refreshed between two answers
	require.NoError(t, err)
	s, err := New(Config{Store: store, Policy: p, Upstream: zone})
	require.NoError(t, err)
	s.unix = func() uint32 { return 1_800_000_000 }
	return s
}

func lineEntries(lines string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for line := range strings.Lines(lines) {
			if !yield(blocklist.ParseEntry(line)) {
				return
			}
		}
	}
}

// fast answers a datagram on the fast path; false means that the path does not answer it.
func (s *Server) fast(packet []byte) ([]byte, bool) {
	q := &query{counters: &s.shared}
	if len(packet) < dnswire.HeaderSize || !q.parsePacket(packet) || q.check() != dns.RcodeSuccess {
		return nil, false
	}
	if m, ok := s.admit(s.current.Load(), nil, q, netip.Addr{}, false); !ok {
		return m, true
	}
	m, ask := s.answerNow(s.current.Load(), nil, q, s.cache.Now())
	return m, !ask || len(m) > 0
}

func (s *Server) slow(packet []byte) []byte {
	if len(packet) < dnswire.HeaderSize {
		return nil
	}
	return s.slowPath(append([]byte(nil), packet...), ClientMessage{})
}

// comparePaths sends a datagram down both paths. What the slow path puts into the cache, the fast one finds there.
func comparePaths(t *testing.T, s *Server, packet []byte) {
	t.Helper()
	sent := string(packet)
	before, first := s.fast(packet)
	want := s.slow(packet)
	after, second := s.fast(packet)
	require.Equal(t, sent, string(packet), "the datagram is not written to")
	if first && !isLater(want, before) {
		require.Equal(t, want, before)
	}
	if second && !isLater(want, after) {
		require.Equal(t, want, after)
	}
	if len(want) > 0 {
		var m dns.Msg
		require.NoError(t, m.Unpack(want))
		assert.Equal(t, binary.BigEndian.Uint16(packet), m.Id)
		assert.LessOrEqual(t, len(want), dnswire.UDPSize)
	}
}

// clockMoves is how far, in seconds, on a busy machine.
const clockMoves = 30

// isLater reports whether two answers differ in TTLs alone, each by a few seconds at most: the clock moves between
// them.
func isLater(a, b []byte) bool {
	if len(a) != len(b) || len(a) < dnswire.HeaderSize {
		return false
	}
	a, b = append([]byte(nil), a...), append([]byte(nil), b...)
	var ttls []uint32
	for r := range dnswire.Records(a) {
		ttls = append(ttls, binary.BigEndian.Uint32(r.TTL))
		clear(r.TTL)
	}
	for r := range dnswire.Records(b) {
		if len(ttls) == 0 || ttls[0]-binary.BigEndian.Uint32(r.TTL)+clockMoves > 2*clockMoves {
			return false
		}
		ttls = ttls[1:]
		clear(r.TTL)
	}
	return string(a) == string(b)
}

// pathsOptions are cookies of several lengths, and other options.
var pathsOptions = [][]dns.EDNS0{
	{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}},
	{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708" + "010000006b49d200" + "0102030405060708"}},
	{&dns.EDNS0_PADDING{Padding: make([]byte, 30)}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE}},
	{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "01020304050607"}},
	{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}},
}

// pathsQueries are queries of every kind that the paths treat apart.
func pathsQueries(t testing.TB) (out [][]byte) {
	t.Helper()
	for _, name := range []string{
		".", "example.org.", "WWW.Example.ORG.", "a.nxdomain.test.", "NoData.Test.", "x.refused.test.", "drop.test.", "sinkhole.test.",
		"monitor.test.", "host.nxdomain.example.", "Paths.example.", "alias.test.", "chain.test.", "gone.test.", "lost.test.", "_https.test.", "ip.test.", `a\.b\000\255.test.`, strings.Repeat("a.", 127),
		strings.Repeat("a", 63) + ".sinkhole.test.",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeANY, dns.TypeAXFR, dns.TypeHTTPS} {
			for variant := range 16 {
				m := new(dns.Msg).SetQuestion(name, qtype)
				m.RecursionDesired, m.AuthenticatedData, m.CheckingDisabled = variant&1 == 0, variant&2 != 0, variant&4 != 0
				if variant&8 != 0 {
					m.SetEdns0(uint16(400*(variant&7)), variant&1 != 0)
				}
				if opt := m.IsEdns0(); opt != nil && variant&4 != 0 {
					opt.Option = append(opt.Option, pathsOptions[variant%len(pathsOptions)]...)
				}
				packed, err := m.Pack()
				require.NoError(t, err)
				out = append(out, packed)
			}
		}
	}
	return out
}

// TestPathsAgree sends each query as it is, and with one byte of its header, its type, class or EDNS changed.
func TestPathsAgree(t *testing.T) {
	t.Parallel()
	s := pathsServer(t)
	answered := 0
	for i, packet := range pathsQueries(t) {
		comparePaths(t, s, packet)
		if _, ok := s.fast(packet); ok {
			answered++
		}
		if i%longtest.Rounds(3, 1) != 0 {
			continue
		}
		for _, at := range []int{2, 3, 5, 7, 9, 10, 11, dnswire.HeaderSize, len(packet) - 1, len(packet) - 2, len(packet) - 4, len(packet) - 6} {
			old := packet[at]
			for _, b := range []byte{0, 1, 0x29, 0x40, 0xff} {
				packet[at] = b
				comparePaths(t, s, packet)
			}
			packet[at] = old
		}
		comparePaths(t, s, packet[:len(packet)-1])
		comparePaths(t, s, append(packet, 0))
	}
	assert.Greater(t, answered, 1000, "the fast path answers ordinary queries")
}

// FuzzPaths sends any datagram down both paths: what the fast path answers, it answers in the same bytes as the slow
// one.
func FuzzPaths(f *testing.F) {
	for i, packet := range pathsQueries(f) {
		if i%7 == 0 {
			f.Add(packet)
		}
	}
	s := pathsServer(f)
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) <= maxQuery {
			comparePaths(t, s, packet)
		}
	})
}
