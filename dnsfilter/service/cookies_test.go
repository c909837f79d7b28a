package service_test

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// TestCookieSecretsOfTheSettings changes the file of a running service.
func TestCookieSecretsOfTheSettings(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "cookie_secrets: secrets\n")
	r.write(t, "secrets", strings.Repeat("01", 16)+"\n")
	r.start(t)
	cookie := cookieOf(dnstest.Exchange(t, "udp", r.addr, withCookie(dnstest.Question("example.org.", dns.TypeA), clientCookie)))
	require.Len(t, cookie, 48)
	same := func() bool {
		return cookie == cookieOf(dnstest.Exchange(t, "udp", r.addr, withCookie(dnstest.Question("example.org.", dns.TypeA), cookie)))
	}
	assert.True(t, same())
	r.write(t, "secrets", "short\n")
	r.reload <- struct{}{}
	r.reload <- struct{}{} // the first one is done
	assert.True(t, same(), "a bad file changes nothing")
	r.write(t, "secrets", strings.Repeat("02", 16)+"\n")
	r.reload <- struct{}{}
	r.reload <- struct{}{}
	assert.False(t, same())

	r.settings(t, "cookie_secrets: none\n")
	s, err := r.read()
	require.NoError(t, err)
	assert.ErrorContains(t, s.CheckFiles(), "dnsfilter.yaml:5:17: reading cookie secrets")
}

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
