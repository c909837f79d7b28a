package examples_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// browser is one person's.
type browser struct {
	t testing.TB
	*http.Client
	base   string      // URL of the proxy
	header http.Header // that it adds, as a browser's extension could
}

// newBrowser returns a browser that finds a proxy by its URL at an address, trusts its certificate, and may have one of
// its own.
func newBrowser(t testing.TB, base, front, trusted string, own ...tls.Certificate) *browser {
	t.Helper()
	text, err := os.ReadFile(trusted)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: own},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "desk.example:") {
				addr = front
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, &http.Client{Transport: transport, Jar: jar}, base, http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

// with returns the same browser, which adds a header to each request.
func (b *browser) with(name string, values ...string) *browser {
	changed := *b
	changed.header = b.header.Clone()
	changed.header[name] = values
	return &changed
}

// forget ends all sessions at the desk's name, as their time does.
func (b *browser) forget() {
	b.t.Helper()
	u, err := url.Parse(b.base + "/")
	require.NoError(b.t, err)
	cookies := b.Jar.Cookies(u)
	require.NotEmpty(b.t, cookies)
	for _, c := range cookies {
		b.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Path: "/", MaxAge: -1}})
	}
}

// page is an answer, after redirects.
type page struct {
	status    int
	url, text string
}

func (b *browser) get(path string) page {
	b.t.Helper()
	return b.send(http.MethodGet, path, "", nil)
}

func (b *browser) post(path string, pairs ...string) page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// upload posts a file with a signature.
func (b *browser) upload(content string) page {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("signature", "anna.sig")
	require.NoError(b.t, err)
	_, err = io.WriteString(part, content)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	return b.send(http.MethodPost, "/signatures", w.FormDataContentType(), &body)
}

func (b *browser) send(method, path, kind string, body io.Reader) page {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.base + path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, path, body)
	require.NoError(b.t, err)
	maps.Copy(r.Header, b.header)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := b.Do(r)
	require.NoError(b.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	return page{answer.StatusCode, answer.Request.URL.String(), string(text)}
}

// between returns the text between two others.
func between(t testing.TB, text, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, before)
	require.True(t, ok, "%q is not in %s", before, text)
	value, _, _ := strings.Cut(rest, after)
	return value
}
