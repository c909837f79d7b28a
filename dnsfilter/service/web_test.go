package service_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
)

// webAnswer is the answer of the operator's page to a request, with the given headers.
func webAnswer(t *testing.T, method, page string, form url.Values, headers map[string]string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, page, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Host, r.Close = headers["Host"], true
	reply, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply.StatusCode, reply.Header, string(text)
}

func TestWeb(t *testing.T) {
	t.Parallel()
	at := freeport.Addr(t)
	page := "http://" + at + "/"
	r := newFolder(t, "web: "+at+"\nlists: [{name: it.example/l, file: local.txt}]\n")
	r.write(t, "local.txt", "listed.test\n")
	r.start(t)
	dnstest.Exchange(t, "udp", r.addr, dnstest.Question("a.listed.test.", dns.TypeA))
	r.write(t, "local.txt", "listed.test\nco.uk\n")
	var body string
	require.Eventually(t, func() bool {
		_, _, body = webAnswer(t, http.MethodGet, page, nil, nil)
		return strings.Contains(body, "On hold")
	}, time.Minute, 50*time.Millisecond)
	_, header, _ := webAnswer(t, http.MethodGet, page, nil, nil)
	assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	for _, secret := range []string{"listed.test", "co.uk", "127.0.0.1:" + strings.Split(r.addr, ":")[1]} {
		assert.NotContains(t, body, secret, "neither names nor clients")
	}
	assert.NotRegexp(t, `(?i)<script| style=|src="http|href="http`, body)
	_, _, style := webAnswer(t, http.MethodGet, page+"style.css", nil, nil)
	assert.Contains(t, style, "prefers-color-scheme: dark")

	token, err := os.ReadFile(filepath.Join(r.dir, "state", "web.token"))
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(r.dir, "state", "web.token"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	id := regexp.MustCompile(`name="id" value="([0-9a-f]+)"`).FindStringSubmatch(body)
	require.NotNil(t, id)
	form := func(token, do string) url.Values {
		return url.Values{"token": {token}, "list": {"it.example/l"}, "id": {id[1]}, "do": {do}}
	}
	good := strings.TrimSpace(string(token))
	for _, c := range []struct {
		form    url.Values
		headers map[string]string
		status  int
		says    string
	}{
		{form("wrong", "accept"), nil, http.StatusForbidden, "That is not the token"},
		{form("", "show"), nil, http.StatusForbidden, "That is not the token"},
		{form(good, "accept"), map[string]string{"Origin": "https://elsewhere.example"}, http.StatusForbidden, "cross-origin"},
		{form(good, "accept"), map[string]string{"Host": "rebound.example"}, http.StatusMisdirectedRequest, "this page is at an IP address"},
		{form(good, "burn"), nil, http.StatusConflict, "no such button"},
		{form(good, "show"), nil, http.StatusOK, "co.uk"},
		{form(good, "reject"), nil, http.StatusOK, "Rejected: it.example/l stays as it is."},
		{form(good, "accept"), nil, http.StatusOK, "Accepted: it.example/l is in force"},
		{form(good, "accept"), nil, http.StatusConflict, "nothing is on hold"},
	} {
		status, _, body := webAnswer(t, http.MethodPost, page+"hold", c.form, c.headers)
		assert.Equal(t, c.status, status, c.says)
		assert.Contains(t, body, c.says)
	}
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.co.uk."), "what was accepted is in force")
	status := 0
	for range 10 {
		status, _, _ = webAnswer(t, http.MethodPost, page+"hold", form("wrong", "show"), nil)
	}
	assert.Equal(t, http.StatusTooManyRequests, status, "guesses are limited")
	status, _, _ = webAnswer(t, http.MethodPost, page, nil, nil)
	assert.Equal(t, http.StatusMethodNotAllowed, status)

	require.NoError(t, r.stop())
	r.start(t)
	again, err := os.ReadFile(filepath.Join(r.dir, "state", "web.token"))
	require.NoError(t, err)
	assert.Equal(t, token, again, "a token outlives a restart")
}
