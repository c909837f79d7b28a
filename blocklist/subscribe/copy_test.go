package subscribe_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// What Copy writes is a bundle that a subscriber takes, whichever root it was asked from.
func TestCopy(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	first := a.Release(1, "example.org")
	push(t, o, a, first)
	a.Rotate()
	push(t, o, a, a.Delta(first, "+example.net"))
	for _, root := range a.Roots {
		c := subscribe.Config{List: trusttest.List, Root: root, Origins: []string{"http://127.0.0.1:1", server.URL}}
		var bundle bytes.Buffer
		require.NoError(t, subscribe.Copy(t.Context(), c, &bundle))
		path := filepath.Join(t.TempDir(), "bundle.tar")
		require.NoError(t, os.WriteFile(path, bundle.Bytes(), 0o600))
		s := newSubscriber(t, a, path)
		require.NoError(t, s.refresh(t))
		s.enforces(t, 2)

		var metadata bytes.Buffer
		require.NoError(t, subscribe.CopyMetadata(t.Context(), c, &metadata))
		b, err := trust.OpenBundle(&metadata)
		require.NoError(t, err)
		assert.Len(t, b.Roots, 2)
		assert.Less(t, metadata.Len(), bundle.Len())
	}
}

// Nothing that was not signed gets into a copy.
func TestCopyOfALiar(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	push(t, o, a, a.Release(1, "example.org"))
	c := subscribe.Config{List: trusttest.List, Root: a.Roots[0], Origins: []string{server.URL}}
	stranger := trusttest.NewAgency(t, a.Online)
	stranger.Officers, stranger.Roots = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}, nil
	stranger.Rotate()
	other := c
	other.Root = stranger.Roots[0]
	require.ErrorIs(t, subscribe.Copy(t.Context(), other, &bytes.Buffer{}), blocklist.ErrUntrusted)

	truth, err := url.Parse(server.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(truth)
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/targets/") {
			_, _ = w.Write([]byte("something else"))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer liar.Close()
	c.Origins = []string{liar.URL, server.URL}
	require.ErrorIs(t, subscribe.Copy(t.Context(), c, &bytes.Buffer{}), blocklist.ErrUntrusted)
}
