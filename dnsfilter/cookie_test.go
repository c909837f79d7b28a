package dnsfilter_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

const clientCookie = "0102030405060708"

func withCookie(m *dns.Msg, cookie string) *dns.Msg {
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
	return m
}

// cookieOf returns the cookie of an answer, empty if it has none.
func cookieOf(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// TestCookies gets a cookie for every kind of answer, over each transport; the answers are what they are without.
func TestCookies(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, blockingServer(t))
	for _, network := range []string{"udp", "tcp"} {
		for name, rcode := range map[string]int{
			"www.example.org.": dns.RcodeSuccess, "other.test.": dns.RcodeSuccess, "a.nxdomain.test.": dns.RcodeNameError,
			"sinkhole.test.": dns.RcodeSuccess, "refused.test.": dns.RcodeRefused,
		} {
			m := dnstest.Exchange(t, network, addr, withCookie(dnstest.Question(name, dns.TypeA), clientCookie))
			assert.Equal(t, rcode, m.Rcode, name)
			got := cookieOf(m)
			require.Len(t, got, 48, name)
			assert.True(t, strings.HasPrefix(got, clientCookie+"01000000"))
			again := dnstest.Exchange(t, network, addr, withCookie(dnstest.Question(name, dns.TypeA), got))
			assert.Equal(t, got, cookieOf(again), "it is still good")
			plain := dnstest.Exchange(t, network, addr, dnstest.Question(name, dns.TypeA).SetEdns0(1232, false))
			assert.Empty(t, cookieOf(plain))
			assert.Len(t, m.Answer, len(plain.Answer), name)
			assert.Equal(t, dnstest.EDEs(plain), dnstest.EDEs(m), name)
		}
		m := dnstest.Exchange(t, network, addr, withCookie(dnstest.Question("example.org.", dns.TypeAXFR), clientCookie))
		assert.Equal(t, dns.RcodeRefused, m.Rcode)
		assert.Len(t, cookieOf(m), 48, "the plain path has them, too")

		alone := withCookie(new(dns.Msg), clientCookie)
		alone.Id = dns.Id()
		m = dnstest.Exchange(t, network, addr, alone)
		assert.Equal(t, dns.RcodeSuccess, m.Rcode)
		assert.Len(t, cookieOf(m), 48)
		for sent, rcode := range map[string]int{cookieOf(m): dns.RcodeSuccess, clientCookie + strings.Repeat("00", 16): dns.RcodeBadCookie} {
			m = dnstest.Exchange(t, network, addr, withCookie(new(dns.Msg), sent)) // asked whether it is still good
			assert.Equal(t, rcode, m.Rcode)
			assert.Len(t, cookieOf(m), 48)
		}
		m = dnstest.Exchange(t, network, addr, new(dns.Msg).SetEdns0(1232, false))
		assert.Equal(t, dns.RcodeFormatError, m.Rcode, "neither question nor cookie")
		for _, bad := range []string{"", "01", "010203040506070809", strings.Repeat("00", 15), strings.Repeat("00", 41)} {
			m := dnstest.Exchange(t, network, addr, withCookie(dnstest.Question("example.org.", dns.TypeA), bad))
			assert.Equal(t, dns.RcodeFormatError, m.Rcode, "%q", bad)
			assert.NotNil(t, m.IsEdns0(), "%q", bad)
		}
		foreign := dnstest.Exchange(t, network, addr, withCookie(dnstest.Question("www.example.org.", dns.TypeA), clientCookie+strings.Repeat("00", 32)))
		assert.Len(t, foreign.Answer, 1, "somebody else's cookie is as good as none")
	}
}

// TestCookiesPassTheLimit has a client that is over the limit: it is told to come with a cookie, and then is served.
func TestCookiesPassTheLimit(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{RateLimit: dnsfilter.RateLimit{PerSecond: 1, Slip: 1}})
	addr, _ := dnstest.Serve(t, s)
	var cookie string
	require.Eventually(t, func() bool {
		m := dnstest.Exchange(t, "udp", addr, withCookie(dnstest.Question("example.org.", dns.TypeA), clientCookie))
		cookie = cookieOf(m)
		return m.Rcode == dns.RcodeBadCookie && len(m.Answer) == 0 && len(cookie) == 48
	}, 5*time.Second, time.Millisecond)
	for range 20 {
		assert.Len(t, dnstest.Exchange(t, "udp", addr, withCookie(dnstest.Question("example.org.", dns.TypeA), cookie)).Answer, 1)
	}
	last := byte('0')
	if cookie[47] == last {
		last = '1'
	}
	forged := cookie[:47] + string(last)
	assert.Equal(t, dns.RcodeBadCookie, dnstest.Exchange(t, "udp", addr, withCookie(dnstest.Question("example.org.", dns.TypeA), forged)).Rcode)
	assert.Len(t, dnstest.Exchange(t, "tcp", addr, withCookie(dnstest.Question("example.org.", dns.TypeA), forged)).Answer, 1)
	assert.Len(t, dnstest.Exchange(t, "tcp", addr, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
}

func TestServersShareCookies(t *testing.T) {
	t.Parallel()
	one, two := dnsfilter.CookieSecret{15: 1}, dnsfilter.CookieSecret{15: 2}
	server := func(secrets ...dnsfilter.CookieSecret) *dnsfilter.Server {
		return dnstest.NewServer(t, dnsfilter.Config{CookieSecrets: secrets})
	}
	first, second, next, own := server(one), server(one), server(two, one), dnstest.NewServer(t, dnsfilter.Config{})
	cookie := cookieOf(ask(t, first, "udp", withCookie(dnstest.Question("example.org.", dns.TypeA), clientCookie)))
	assert.Equal(t, cookie, cookieOf(ask(t, second, "udp", withCookie(dnstest.Question("example.org.", dns.TypeA), cookie))))
	assert.NotEqual(t, cookie, cookieOf(ask(t, next, "udp", withCookie(dnstest.Question("example.org.", dns.TypeA), cookie))), "of the next secret")
	assert.NotEqual(t, cookie, cookieOf(ask(t, own, "udp", withCookie(dnstest.Question("example.org.", dns.TypeA), cookie))))
}

// TestDigAndKdig have these programs check the cookies.
func TestDigAndKdig(t *testing.T) {
	t.Parallel()
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{}))
	host, port, _ := strings.Cut(addr, ":")
	for program, want := range map[string]string{"dig": "(good)", "kdig": "COOKIE: "} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Logf("%s is not installed", program)
			continue
		}
		for range 2 { // the second is answered from the cache
			out, err := exec.CommandContext(t.Context(), path, "@"+host, "-p", port, "+cookie="+clientCookie, "example.org", "A").CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Contains(t, string(out), want)
			assert.Contains(t, string(out), "192.0.2.1")
			assert.NotContains(t, string(out), "WARN")
		}
	}
}
