package service_test

import (
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func TestReadCookieSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := strings.Repeat("0f", 16)
	secrets, err := service.ReadCookieSecrets(writeFile(t, dir, "both", "# next\n"+strings.Repeat("A0", 16)+"\n\n"+one+"\n"))
	require.NoError(t, err)
	assert.Equal(t, []dnsfilter.CookieSecret{dnsfilter.CookieSecret([]byte(strings.Repeat("\xa0", 16))), dnsfilter.CookieSecret([]byte(strings.Repeat("\x0f", 16)))}, secrets)
	for text, want := range map[string]string{
		"": "there is no secret", "# none\n": "there is no secret", "abc\n": "line 1", one + "\nzz" + one[2:] + "\n": "line 2",
		strings.Repeat(one+"\n", 9): "more than 8", strings.Repeat("#\n", 3000): "too large",
	} {
		_, err := service.ReadCookieSecrets(writeFile(t, dir, "bad", text))
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "0f0f")
	}
	_, err = service.ReadCookieSecrets(filepath.Join(dir, "none"))
	assert.Error(t, err)
	_, err = service.ReadCookieSecrets(writeFile(t, dir, "bad", "abc"))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// TestCookieSecretsOfTheSettings changes the file of a running service.
func TestCookieSecretsOfTheSettings(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "cookie_secrets: secrets\n")
	r.write(t, "secrets", strings.Repeat("01", 16)+"\n")
	r.start(t)
	cookie := cookieOf(exchange(t, "udp", r.addr, withCookie(question("example.org.", dns.TypeA), clientCookie)))
	require.Len(t, cookie, 48)
	same := func() bool {
		return cookie == cookieOf(exchange(t, "udp", r.addr, withCookie(question("example.org.", dns.TypeA), cookie)))
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

// FuzzCookieSecrets reads any text as a file of secrets.
func FuzzCookieSecrets(f *testing.F) {
	f.Add(strings.Repeat("0f", 16) + "\n# comment\n" + strings.Repeat("F0", 16))
	f.Fuzz(func(t *testing.T, text string) {
		secrets, err := service.ReadCookieSecrets(writeFile(t, t.TempDir(), "secrets", text))
		if err != nil {
			return
		}
		var again strings.Builder
		for _, s := range secrets {
			again.WriteString(hex.EncodeToString(s[:]) + "\n")
		}
		same, err := service.ReadCookieSecrets(writeFile(t, t.TempDir(), "secrets", again.String()))
		require.NoError(t, err)
		assert.Equal(t, secrets, same)
	})
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
