package blocklist_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// hostForms are the ways in which programs write a host: what http.Request.Host, net.Conn, a TLS server name or a SOCKS
// request hold. Each must be looked up as what it is.
var hostForms = []struct{ text, host string }{
	{"example.com", "example.com"},
	{"WWW.Example.COM.", "www.example.com"},
	{"example.com:443", "example.com"},
	{"example.com.:443", "example.com"},
	{"example.com:https", "example.com"},
	{"example.com:", "example.com"},
	{" example.com\t", "example.com"},
	{"example.com\n", "example.com"},
	{"user@example.com", "example.com"},
	{"ex%61mple.com", "example.com"},
	{"EXAMPLE。com:80", "example.com"},
	{`ex\097mple.com`, "example.com"},
	{"bücher.example:8080", "xn--bcher-kva.example"},
	{"1.2.3.4.5", "1.2.3.4.5"},
	{"192.0.2.1", "192.0.2.1"},
	{"192.0.2.1.", "192.0.2.1"},
	{"192.0.2.1:80", "192.0.2.1"},
	{"0xc0.0.513", "192.0.2.1"},
	{"3221225985", "192.0.2.1"},
	{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
	{"2001:db8::1", "2001:db8::1"},
	{"[2001:db8::1]", "2001:db8::1"},
	{"[2001:DB8::1]:443", "2001:db8::1"},
	{"fe80::1%eth0", "fe80::1"},
	{"[fe80::1%eth0]:22", "fe80::1"},
	{"[fe80::1%25eth0]", "fe80::1"},
}

func TestParseHost(t *testing.T) {
	for _, c := range hostForms {
		name, addr, err := blocklist.ParseHost(c.text)
		if !assert.NoError(t, err, c.text) {
			continue
		}
		if want, err := netip.ParseAddr(c.host); err == nil {
			assert.Equal(t, want, addr, c.text)
			assert.Empty(t, name, c.text)
			continue
		}
		assert.False(t, addr.IsValid(), c.text)
		want, err := blocklist.ParseName(c.host)
		require.NoError(t, err)
		assert.Equal(t, want, name, c.text)
	}
	for _, text := range []string{
		"", " ", ".", "..", ":80", "@", "[]", "[::1", "[192.0.2.1]", "[example.com]", "[::g]:1", "a b.example", "a%20b.example", "a:80:80",
		"https://example.com/", "example.com/path", "example.com?q", "example.com#f", "exam\tple.com", "192.0.2.0/24",
	} {
		name, addr, err := blocklist.ParseHost(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.Empty(t, name, text)
		assert.False(t, addr.IsValid(), text)
	}
}

// TestLookupHostForms: a host that is listed is found in whatever form a program has it.
func TestLookupHostForms(t *testing.T) {
	s, err := blocklist.OpenSet(buildSet(t, "example.com", "=xn--bcher-kva.example", `=\049.2.3.4.5`, "192.0.2.0/24", "2001:db8::/48", "fe80::/10"))
	require.NoError(t, err)
	for _, c := range hostForms {
		_, ok := s.LookupHost(c.text)
		assert.True(t, ok, c.text)
	}
	for _, text := range []string{
		"https://example.com/", "http://user@example.com:80/path?q#f", "example.com/path", `http:\\example.com\`,
		"https://192.0.2.9/", "exam\tple.com",
	} {
		_, ok := s.LookupHost(text)
		assert.True(t, ok, text)
	}
	for _, text := range []string{"", "com", "example.org:443", "198.51.100.1", "198.51.100.1:80", "[2001:db9::1]:80", "https://example.org/example.com", "."} {
		_, ok := s.LookupHost(text)
		assert.False(t, ok, text)
	}
}

// TestLookupHostIsNoPage: a page on a host does not list the host, whatever its form; a URL is looked up as one.
func TestLookupHostIsNoPage(t *testing.T) {
	s, err := blocklist.OpenSet(buildSet(t, "https://site.test/", "https://site.test/*"))
	require.NoError(t, err)
	for _, text := range []string{"site.test", "site.test:443", "user@site.test", "site.test."} {
		_, ok := s.LookupHost(text)
		assert.False(t, ok, text)
	}
	_, ok := s.LookupHost("https://site.test/page")
	assert.True(t, ok)
}

func TestLookupHostAllocates(t *testing.T) {
	s, err := blocklist.OpenSet(buildSet(t, "example.com", "192.0.2.0/24"))
	require.NoError(t, err)
	for _, host := range []string{"www.example.org", "www.Example.Org.", "www.example.org:443", "203.0.113.7"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { s.LookupHost(host) }), host)
	}
	assert.Equal(t, 1, int(testing.AllocsPerRun(100, func() { s.LookupHost("www.example.com") })), "the match has bytes of its own")
	m, ok := s.LookupHost("www.example.com")
	require.True(t, ok)
	_, _ = s.LookupHost("aaa.bbbbbbb.ccc")
	assert.Equal(t, "example.com", m.Entry())
}

func FuzzParseHost(f *testing.F) {
	for _, c := range hostForms {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, addr, err := blocklist.ParseHost(text)
		switch {
		case err != nil:
			assert.ErrorIs(t, err, blocklist.ErrMalformed)
			return
		case addr.IsValid():
			assert.Empty(t, name)
			assert.Empty(t, addr.Zone())
			return
		case strings.Contains(text, `\`): // an escape may hide a name that reads as an address
			return
		}
		again, _, err := blocklist.ParseHost(name.String())
		assert.NoError(t, err, name.String())
		assert.Equal(t, name, again)
	})
}
