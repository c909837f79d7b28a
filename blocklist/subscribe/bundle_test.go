package subscribe_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// A bundle on a stick is verified like everything else, and does not prove that it is the newest.
func TestBundle(t *testing.T) {
	t.Parallel()
	a := trusttest.NewAgency(t, online.Key)
	stick := filepath.Join(t.TempDir(), "release.tar")
	put := func(b []byte) { require.NoError(t, os.WriteFile(stick, b, 0o600)) }
	first := a.Release(1, filler(500)...)
	put(a.Bundle(first))
	s := newSubscriber(t, a, stick)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 1)
	assert.False(t, s.Status().Stale, "no origin was ever heard of: the officers' date counts")
	assert.WithinDuration(t, a.Expires, s.Status().Expires, time.Minute)
	changed, err := s.Refresh(t.Context())
	require.NoError(t, err)
	assert.False(t, changed)

	bruno := a.Officers[1]
	second := a.Delta(first, "+www.example.test")
	put(a.Bundle(second))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	put(a.Bundle(first))
	s.refuses(t, blocklist.ErrRollback, 2)

	whole := a.Bundle(a.Delta(second, "+other.example.test"))
	put(whole[:len(whole)/2])
	s.refuses(t, blocklist.ErrMalformed, 2)
	expired := *a
	expired.Expires = time.Now().Add(-time.Hour)
	put(expired.Bundle(expired.Delta(second, "+other.example.test")))
	s.refuses(t, blocklist.ErrExpired, 2)
	other := trusttest.NewAgency(t, online.Key)
	other.Officers = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}
	other.Roots = nil
	other.Rotate()
	put(other.Bundle(other.Release(9, "example.net")))
	s.refuses(t, blocklist.ErrUntrusted, 2)

	a.Officers = []trusttest.Person{a.Officers[0], trusttest.NewPerson("dora")}
	a.Rotate(bruno)
	put(a.Bundle(a.Delta(second, "+other.example.test")))
	require.NoError(t, s.refresh(t), "a bundle brings new roots along")
	s.enforces(t, 3)
	left, err := filepath.Glob(filepath.Join(s.dir, "lists", "it.example", "test", "_", ".new-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	// Back on the network the same release is proved to be the newest.
	m := a.NewMirror(online)
	m.Publish(a.Delta(second, "+other.example.test"))
	s.restart(t, m.Dir)
	s.enforces(t, 3)
}
