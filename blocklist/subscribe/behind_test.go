package subscribe_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/testdata/longtest"
)

// TestBehind follows an agency now and then: what is fetched grows with what has changed, not with the list, however
// far behind.
func TestBehind(t *testing.T) {
	longtest.Only(t, "it makes hundreds of releases")
	t.Parallel()
	w := &way{dir: t.TempDir()}
	handler := w.newAgency(t).Handler()
	var files []string
	var bytes int
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if hash, name, ok := strings.Cut(path.Base(r.URL.Path), "."); ok && len(hash) == 64 {
			files, bytes = append(files, strings.TrimSuffix(name, ".txt.zst")), bytes+rec.Body.Len()
		}
		maps.Copy(out.Header(), rec.Header())
		out.WriteHeader(rec.Code)
		_, _ = out.Write(rec.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	var lines []blocklist.Entry
	for _, text := range filler(5_000) {
		lines = append(lines, line(t, text))
	}
	_, err := w.ledger.Add(t.Context(), lines, publish.Audit{Author: "anna", Reason: "test", Override: "test"})
	require.NoError(t, err)
	w.publish(t)

	root, err := os.ReadFile(filepath.Join(w.dir, "agency", "root.json"))
	require.NoError(t, err)
	s := &subscriber{dir: t.TempDir(), c: subscribe.Config{List: "it.example/test", Root: root, Origins: []string{server.URL}}}
	s.start(t)
	t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
	require.NoError(t, s.refresh(t))
	serial := 1
	set := func() string {
		files, err := filepath.Glob(filepath.Join(s.dir, "lists", "it.example", "test", "_", "set-*"))
		require.NoError(t, err)
		return files[0]
	}
	for i, behind := range []int{1, 1, 2, 6, 1, 3, 8, 2} {
		for range behind {
			change := []blocklist.Entry{line(t, fmt.Sprintf("more%d.example category=c%d", (serial+1)/2%7, serial))}
			do := w.ledger.Add
			if serial%2 == 0 { // what came and went makes the shortest of all links
				do = w.ledger.Remove
			}
			_, err := do(t.Context(), change, who)
			require.NoError(t, err)
			w.publish(t)
			serial++
		}
		files, bytes = nil, 0
		compiled := set()
		require.NoError(t, s.refresh(t))
		t.Logf("%3d behind: %d bytes in %q", behind, bytes, files)
		s.enforces(t, uint64(serial))
		if i < 7 { // until what is kept is damaged
			assert.Equal(t, compiled, set(), "the list was not gone through")
		}
		assert.LessOrEqual(t, bytes, 400+100*behind, "step %d", i)
		assert.NotContains(t, strings.Join(files, " "), "snapshot")
		if i == 6 {
			damage(t, s, fmt.Sprintf("release-%d-*", serial)) // what is to be taken back can't be read: the snapshot helps
		}
		if i%4 == 1 {
			require.NoError(t, s.store.Close())
			damage(t, s, "set-*")
			s.start(t) // rebuilt from what is kept
			s.enforces(t, uint64(serial))
		}
	}
	targets, err := os.Stat(filepath.Join(w.dir, "origin", "lists", "it.example", "test", fmt.Sprintf("%d.targets.json", serial)))
	require.NoError(t, err)
	assert.Less(t, targets.Size(), int64(8<<10))
	t.Logf("targets: %d bytes", targets.Size())
}
