package rpz_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// one serves a zone of one list.
func one(t *testing.T, c rpz.Config, lines ...string) *served {
	t.Helper()
	l := newLists(t)
	l.rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}
	l.set(t, "l", lines...)
	return l.start(t, t.TempDir(), c)
}

func withKey(t *testing.T) rpz.Config {
	t.Helper()
	keys, err := rpz.ParseKeys(keyText)
	require.NoError(t, err)
	return rpz.Config{Keys: keys}
}

func (s *served) exchange(network string, m *dns.Msg, secret string) (*dns.Msg, error) {
	s.t.Helper()
	c := dns.Client{Net: network, Timeout: time.Minute}
	if secret != "" {
		c.TsigSecret = map[string]string{"transfer.example.": secret, "other.example.": secret}
	}
	reply, _, err := c.Exchange(m, s.addr)
	return reply, err
}

const secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="

func TestWhoMayTransfer(t *testing.T) {
	t.Parallel()
	s := one(t, withKey(t), "a.example")
	signed := func(m *dns.Msg, key, algorithm string, at time.Time) *dns.Msg {
		return m.SetTsig(key, algorithm, 300, at.Unix())
	}
	now := time.Now()
	soa := func() *dns.Msg { return new(dns.Msg).SetQuestion(zoneName, dns.TypeSOA).SetEdns0(1232, false) }
	for name, c := range map[string]struct {
		m      *dns.Msg
		secret string
		rcode  int
		tsig   int // error in the TSIG record; -1: there is none
	}{
		"unsigned SOA":     {soa(), "", dns.RcodeRefused, -1},
		"unsigned AXFR":    {new(dns.Msg).SetAxfr(zoneName), "", dns.RcodeRefused, -1},
		"unsigned IXFR":    {new(dns.Msg).SetIxfr(zoneName, 1, ".", "."), "", dns.RcodeRefused, -1},
		"below":            {new(dns.Msg).SetQuestion("a.example."+zoneName, dns.TypeA), "", dns.RcodeRefused, -1},
		"signed SOA":       {signed(soa(), "transfer.example.", dns.HmacSHA256, now), secret, dns.RcodeSuccess, 0},
		"signed TXT":       {signed(new(dns.Msg).SetQuestion(zoneName, dns.TypeTXT), "transfer.example.", dns.HmacSHA256, now), secret, dns.RcodeSuccess, 0},
		"another key":      {signed(soa(), "other.example.", dns.HmacSHA256, now), secret, dns.RcodeNotAuth, dns.RcodeBadKey},
		"another hash":     {signed(soa(), "transfer.example.", dns.HmacSHA512, now), secret, dns.RcodeNotAuth, dns.RcodeBadKey},
		"another secret":   {signed(soa(), "transfer.example.", dns.HmacSHA256, now), "b3RoZXIgb3RoZXIgb3RoZXI=", dns.RcodeNotAuth, dns.RcodeBadSig},
		"an hour ago":      {signed(soa(), "transfer.example.", dns.HmacSHA256, now.Add(-time.Hour)), secret, dns.RcodeNotAuth, dns.RcodeBadTime},
		"without a serial": {signed(new(dns.Msg).SetQuestion(zoneName, dns.TypeIXFR), "transfer.example.", dns.HmacSHA256, now), secret, dns.RcodeFormatError, 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			reply, err := s.exchange(network, c.m.Copy(), c.secret)
			require.NotNil(t, reply, "%s: %v", name, err)
			assert.Equal(t, c.rcode, reply.Rcode, name)
			if c.tsig < 0 {
				assert.Nil(t, reply.IsTsig(), name)
			} else if assert.NotNil(t, reply.IsTsig(), name) {
				assert.Equal(t, c.tsig, int(reply.IsTsig().Error), name)
			}
			assert.Equal(t, c.m.IsEdns0() != nil, reply.IsEdns0() != nil, name)
			if c.tsig == 0 {
				assert.NoError(t, err, name, "the signature of the reply")
			}
		}
	}
	reply, err := s.exchange("udp", signed(new(dns.Msg).SetAxfr(zoneName), "transfer.example.", dns.HmacSHA256, now), secret)
	require.NoError(t, err)
	assert.Equal(t, dns.RcodeRefused, reply.Rcode, "AXFR over UDP")
	reply, err = s.exchange("udp", signed(new(dns.Msg).SetIxfr(zoneName, 1, ".", "."), "transfer.example.", dns.HmacSHA256, now), secret)
	require.NoError(t, err)
	assert.Len(t, reply.Answer, 1, "IXFR over UDP")
	assert.Equal(t, []string{"a.example CNAME .", "*.a.example CNAME ."}, s.zone())
	assert.Positive(t, s.Status().Refused)
	assert.Equal(t, 1, strings.Count(s.log.String(), "level=WARN msg=\"refused a request for the zone\""), "once a minute: %s", s.log)

	c := s.config
	c.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s.Configure(c)
	_, err = s.transfer(0, true)
	require.Error(t, err, "not from this address")
	c.Allow, c.Keys = s.config.Allow, nil
	s.Configure(c)
	reply, err = s.exchange("udp", soa(), "")
	require.NoError(t, err)
	require.Len(t, reply.Answer, 1, "without a key")
	assert.True(t, reply.Authoritative)
	reply, err = s.exchange("udp", new(dns.Msg).SetQuestion(zoneName, dns.TypeA), "")
	require.NoError(t, err)
	assert.Len(t, reply.Ns, 1)
}

// many are names for some messages of a transfer, and more than a list has in memory while it is sorted.
func many() (lines []string) {
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("a-name-that-is-not-short-at-all-%d.example", i))
	}
	return lines
}

// TestLongTransfers: a zone of several messages, each signed, as miekg/dns, dig and kdig read it.
func TestLongTransfers(t *testing.T) {
	t.Parallel()
	s := one(t, withKey(t), many()...)
	assert.Len(t, s.zone(), 10000)
	assert.NotContains(t, s.log.String(), "WARN")
	first := s.Status().Serial
	s.lists.set(t, "l", many()[1000:]...)
	s.awaitSerial(first)
	changes, err := s.transfer(first, true)
	require.NoError(t, err)
	assert.Len(t, changes, 2004)
	for _, args := range [][]string{
		{"dig", "@127.0.0.1", "-p", s.addr[len("127.0.0.1:"):], "-y", "hmac-sha256:transfer.example:" + secret, "+noall", "+answer", "+onesoa", zoneName, "AXFR"},
		{"kdig", "@127.0.0.1", "-p", s.addr[len("127.0.0.1:"):], "-y", "hmac-sha256:transfer.example:" + secret, "+noall", "+answer", zoneName, "AXFR"},
	} {
		if _, err := exec.LookPath(args[0]); err != nil || testing.Short() {
			t.Log(args[0], "is not tried:", err)
			continue
		}
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Equal(t, 8000, strings.Count(string(out), "CNAME"), args[0])
		assert.NotContains(t, string(out), "TSIG", args[0])
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(3 * time.Second).UTC().Format("2006-01-02T15:04:05Z")
	s := one(t, rpz.Config{}, "a.example", "short.example expires="+end)
	before := s.Status()
	assert.Equal(t, 4, int(before.Records))
	s.awaitSerial(before.Serial)
	assert.Equal(t, []string{"a.example CNAME .", "*.a.example CNAME ."}, s.zone())
}

func TestZoneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "block.zone")
	s := one(t, rpz.Config{File: path}, "a.example", "=b.example", "192.0.2.0/24", `x\.y.example`)
	require.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, 5*time.Second, time.Millisecond)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	r, err := formats.NewReader(strings.NewReader(string(text)), formats.Options{Format: formats.RPZ})
	require.NoError(t, err)
	var got []string
	for e, err := range r.Entries() {
		require.NoError(t, err)
		got = append(got, e.Target())
	}
	assert.Equal(t, []string{"a.example", "=b.example", `x\.y.example`, "192.0.2.0/24"}, got, string(text))
	records := 0
	p := dns.NewZoneParser(strings.NewReader(string(text)), "", "")
	for _, ok := p.Next(); ok; _, ok = p.Next() {
		records++
	}
	require.NoError(t, p.Err())
	assert.Equal(t, 2+6, records)

	web := httptest.NewServer(s.Zone)
	defer web.Close()
	get := func(tag string) (int, string, string) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL, nil)
		require.NoError(t, err)
		q.Header.Set("If-None-Match", tag)
		reply, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		defer reply.Body.Close()
		body, err := io.ReadAll(reply.Body)
		require.NoError(t, err)
		return reply.StatusCode, reply.Header.Get("ETag"), string(body)
	}
	status, tag, body := get("")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, string(text), body)
	status, _, body = get(tag)
	assert.Equal(t, http.StatusNotModified, status)
	assert.Empty(t, body)
	before := s.Status().Serial
	s.lists.set(t, "l", "c.example")
	s.awaitSerial(before)
	status, next, _ := get(tag)
	assert.Equal(t, http.StatusOK, status)
	assert.NotEqual(t, tag, next)
	c := s.config
	c.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s.Configure(c)
	status, _, _ = get("")
	assert.Equal(t, http.StatusForbidden, status)
}

// TestDamage: a zone whose files are damaged is made again, with a serial that does not go back.
func TestDamage(t *testing.T) {
	t.Parallel()
	l := newLists(t)
	l.rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}
	l.set(t, "l", "a.example")
	dir := t.TempDir()
	s := l.start(t, dir, rpz.Config{})
	serial := s.Status().Serial
	s.stop()
	tables, err := filepath.Glob(filepath.Join(dir, "table-*"))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	require.NoError(t, os.Truncate(tables[0], 3))
	s = l.start(t, dir, rpz.Config{})
	assert.GreaterOrEqual(t, s.Status().Serial, serial)
	assert.Equal(t, []string{"a.example CNAME .", "*.a.example CNAME ."}, s.zone())
	assert.Contains(t, s.log.String(), "are not used")
}

// FuzzTransfer: no message makes a zone fail, and each reply is a message.
func FuzzTransfer(f *testing.F) {
	keys, err := rpz.ParseKeys(keyText)
	require.NoError(f, err)
	name, _ := blocklist.ParseName(zoneName)
	z, err := rpz.Open(f.TempDir(), rpz.Config{Name: name, Keys: keys, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	require.NoError(f, err)
	for _, m := range []*dns.Msg{
		new(dns.Msg).SetAxfr(zoneName), new(dns.Msg).SetIxfr(zoneName, 7, ".", "."), new(dns.Msg).SetQuestion(zoneName, dns.TypeSOA).SetEdns0(1232, true),
		new(dns.Msg).SetAxfr(zoneName).SetTsig("transfer.example.", dns.HmacSHA256, 300, time.Now().Unix()),
	} {
		packed, err := m.Pack()
		require.NoError(f, err)
		f.Add(packed, true)
	}
	f.Fuzz(func(t *testing.T, packet []byte, stream bool) {
		z.Transfer(packet, netip.MustParseAddr("192.0.2.1"), stream, func(reply []byte) error {
			require.NoError(t, new(dns.Msg).Unpack(reply))
			return nil
		})
	})
}
