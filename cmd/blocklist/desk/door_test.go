package desk_test

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// A link opens the desk once, and only the newest one does.
func TestOneTimeLink(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	stranger := a.stranger(t)
	assert.Equal(t, http.StatusUnauthorized, stranger.get(t, "/entries").status)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, a.server.URL+a.links[0], nil)
	require.NoError(t, err)
	stranger.send(t, r) // does not use it up
	b := a.enter(t)
	assert.Contains(t, b.get(t, "/").text, "carla")
	assert.Equal(t, http.StatusUnauthorized, stranger.get(t, a.links[0]).status, "it was used")
	assert.Equal(t, http.StatusUnauthorized, stranger.get(t, "/enter?token=").status)
	assert.Equal(t, http.StatusUnauthorized, stranger.post(t, "/link", nil).status)
	assert.Len(t, a.links, 1, "links are not printed faster than every ten seconds")
	assert.Equal(t, http.StatusUnauthorized, b.post(t, "/leave", nil).status)
	assert.Equal(t, http.StatusUnauthorized, b.get(t, "/").status)
}

// A form of another site counts for nothing, and no name but a loopback one leads to a desk on loopback.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	for _, h := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.server.URL+"/leave", nil)
		require.NoError(t, err)
		for key, value := range h {
			r.Header.Set(key, value)
		}
		assert.Equal(t, http.StatusForbidden, b.send(t, r).status, "%v", h)
	}
	assert.Equal(t, http.StatusOK, b.get(t, "/").status, "the session is still there")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.server.URL, nil)
	require.NoError(t, err)
	r.Host = "rebound.example"
	assert.Equal(t, http.StatusMisdirectedRequest, b.send(t, r).status)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	p := a.enter(t).get(t, "/")
	assert.Equal(t, "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		p.header.Get("Content-Security-Policy"))
	assert.Equal(t, "no-store", p.header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", p.header.Get("X-Content-Type-Options"))
	_, rest, _ := strings.Cut(p.raw, `href="/assets/`)
	path, _, _ := strings.Cut(rest, `"`)
	style := a.stranger(t).get(t, "/assets/"+path)
	assert.Equal(t, http.StatusOK, style.status, "no session is needed for it")
	assert.Contains(t, style.header.Get("Cache-Control"), "immutable")
	assert.Contains(t, style.header.Get("Content-Type"), "text/css")
}

// A header names a person only if it comes from the proxy, once, and names one.
func TestProxy(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "dora", "reader", audit))
	a.openBehindProxy(t, func(o *desk.Options) { o.SignOut = "/oauth2/sign_out" })
	p := a.as(t, "dora").get(t, "/")
	assert.Equal(t, http.StatusOK, p.status)
	assert.True(t, p.links["/oauth2/sign_out"])
	p = a.as(t, "eve").get(t, "/")
	assert.Equal(t, http.StatusForbidden, p.status)
	assert.Contains(t, p.text, "eve has no role at this desk")
	assert.NotContains(t, p.text, "Last operation", "she sees nothing of the list")
	assert.True(t, p.links["/oauth2/sign_out"], "she may have another account")
	assert.Equal(t, http.StatusForbidden, a.stranger(t).get(t, "/").status)
	for _, names := range [][]string{{"dora", "eve"}, {"do ra"}, {"dora\u202e"}, {strings.Repeat("d", 129)}, {""}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.server.URL, nil)
		require.NoError(t, err)
		r.Header["X-Remote-User"] = names
		answer, err := a.stranger(t).Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, http.StatusForbidden, answer.StatusCode, "%q: %s", names, body)
	}
	p = a.as(t, "dora").get(t, "/release")
	assert.Equal(t, http.StatusMethodNotAllowed, p.status, "what a browser asks for when it signs in again on the way of a form")
	assert.Contains(t, p.text, "Nothing was done")
	assert.Equal(t, "/", a.as(t, "dora").get(t, "/enter?token=x").path, "there are no links behind a proxy")

	elsewhere := newAgency(t)
	elsewhere.openBehindProxy(t, func(o *desk.Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")} })
	require.NoError(t, elsewhere.SetRole(t.Context(), "dora", "reader", audit))
	assert.Equal(t, http.StatusForbidden, elsewhere.as(t, "dora").get(t, "/").status)
}
