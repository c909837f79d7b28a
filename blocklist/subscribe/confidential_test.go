package subscribe_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// newRecipient makes a key pair: the text of an identity file, and the recipient.
func newRecipient(t *testing.T, hybrid bool) (identity []byte, to trust.Recipient) {
	t.Helper()
	var public string
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		require.NoError(t, err)
		identity, public = []byte(id.String()), id.Recipient().String()
	} else {
		id, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		identity, public = []byte(id.String()), id.Recipient().String()
	}
	to, err := trust.ParseRecipient(public)
	require.NoError(t, err)
	return identity, to
}

// newConfidential makes the agency of a confidential list, and a mirror with its first release.
func newConfidential(t *testing.T, to ...trust.Recipient) (*trusttest.Agency, *trusttest.Mirror) {
	t.Helper()
	a := trusttest.NewAgency(t, online.Key)
	a.Key, a.To, a.Roots = trust.NewListKey(), to, nil
	a.Rotate()
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	return a, m
}

// newReader makes a subscriber with an identity.
func newReader(t *testing.T, a *trusttest.Agency, identity []byte, origins ...string) *subscriber {
	t.Helper()
	s := &subscriber{dir: t.TempDir(), c: subscribe.Config{List: a.List, Root: a.Roots[0], Origins: origins, Identity: identity}}
	s.start(t)
	t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
	return s
}

func TestConfidential(t *testing.T) {
	t.Parallel()
	hybrid, hybridTo := newRecipient(t, true)
	classic, classicTo := newRecipient(t, false)
	for _, identity := range [][]byte{hybrid, classic, bytes.Join([][]byte{classic, hybrid}, []byte("\n"))} {
		a, m := newConfidential(t, hybridTo, classicTo)
		s := newReader(t, a, identity, m.Dir)
		require.NoError(t, s.refresh(t))
		s.enforces(t, 1)
		m.Publish(a.Delta(a.Release(1, "example.org"), "+www.example.net"))
		require.NoError(t, s.refresh(t))
		s.enforces(t, 2)
		require.NoError(t, s.refresh(t))
		var lines []string
		for e, err := range s.Entries() {
			require.NoError(t, err)
			lines = append(lines, e.String())
		}
		assert.Equal(t, []string{"example.org", "www.example.net"}, lines)
	}
}

func TestConfidentialWithoutIdentity(t *testing.T) {
	t.Parallel()
	_, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	_, err = subscribe.New(store, subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{m.Dir}})
	require.ErrorIs(t, err, blocklist.ErrNoKey)
	assert.ErrorContains(t, err, "identity:")
	_, err = subscribe.New(store, subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{m.Dir}, Identity: []byte("no key")})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.NotContains(t, err.Error(), "no key")

	for _, hybrid := range []bool{false, true} {
		stranger, _ := newRecipient(t, hybrid)
		s := newReader(t, a, stranger, m.Dir)
		s.refuses(t, blocklist.ErrNoKey, 0)
		require.ErrorContains(t, s.refresh(t), "blocklist subscriber add")
	}
}

// countKeys serves a folder, and counts the key files that are asked for.
func countKeys(t *testing.T, dir string) (url string, n *atomic.Int32) {
	t.Helper()
	n = &atomic.Int32{}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".key-") {
			n.Add(1)
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, n
}

func TestSubscribersComeAndGo(t *testing.T) {
	t.Parallel()
	first, firstTo := newRecipient(t, true)
	second, secondTo := newRecipient(t, true)
	a, m := newConfidential(t, firstTo)
	url, keys := countKeys(t, m.Dir)
	one, two := newReader(t, a, first, url), newReader(t, a, second, url)
	require.NoError(t, one.refresh(t))
	require.ErrorIs(t, two.refresh(t), blocklist.ErrNoKey)
	require.ErrorIs(t, two.refresh(t), blocklist.ErrNoKey)
	assert.EqualValues(t, 2, keys.Load(), "a key file is fetched once, no matter who it is for")

	a.To = append(a.To, secondTo)
	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, one.refresh(t))
	assert.EqualValues(t, 2, keys.Load(), "the key is the same: no one who has it fetches it")
	require.NoError(t, two.refresh(t))
	two.enforces(t, 2)

	a.To, a.Key = a.To[1:], trust.NewListKey()
	m.Publish(a.Release(3, "example.org", "www.example.net"))
	require.NoError(t, two.refresh(t))
	two.enforces(t, 3)
	one.refuses(t, blocklist.ErrNoKey, 2)
	assert.ErrorContains(t, one.refresh(t), "no longer")
	two.restart(t, m.Dir)
	two.enforces(t, 3)
}

// What is held is followed with the key that is kept, even if the identity is gone, and rebuilt without a network.
func TestConfidentialRestarts(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	s := newReader(t, a, identity, m.Dir)
	require.NoError(t, s.refresh(t))
	s.c.Identity = nil
	s.restart(t, m.Dir)
	s.enforces(t, 1)
	m.Publish(a.Delta(a.Release(1, "example.org"), "+www.example.net"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	require.NoError(t, s.refresh(t))

	require.NoError(t, s.store.Close())
	sets, err := filepath.Glob(filepath.Join(s.dir, "lists", "*", "*", "_", "set-*"))
	require.NoError(t, err)
	require.NotEmpty(t, sets)
	for _, path := range sets {
		require.NoError(t, os.Remove(path))
	}
	s.c.Origins = []string{t.TempDir()}
	s.start(t)
	s.enforces(t, 2)
}

func TestConfidentialBundle(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, true)
	a, _ := newConfidential(t, to)
	file := filepath.Join(t.TempDir(), "release.tar")
	require.NoError(t, os.WriteFile(file, a.Bundle(a.Release(2, "example.org")), 0o600))
	s := newReader(t, a, identity, file)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	require.NoError(t, s.refresh(t), "the same bundle again")
	a.To, a.Key = nil, trust.NewListKey()
	require.NoError(t, os.WriteFile(file, a.Bundle(a.Release(3, "example.org")), 0o600))
	s.refuses(t, blocklist.ErrNoKey, 2)
}

func TestConfidentialOrders(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	a.Urgent = trust.Urgent{Entries: 2, Hours: 24}
	a.Rotate()
	r := a.Release(2, "example.org")
	r.Urgent = a.Orders(1, 2, []string{"bad.example expires=2999-01-01"}, a.Officers[0])
	m.Publish(r)
	s := newReader(t, a, identity, m.Dir)
	require.NoError(t, s.refresh(t))
	listed := func(want bool) {
		t.Helper()
		_, ok := s.store.LookupHost("bad.example")
		assert.Equal(t, want, ok)
	}
	listed(true)
	s.restart(t, m.Dir)
	listed(true)

	// orders in the clear are no one's orders
	plain := *a
	plain.Key = nil
	r.Urgent = plain.Orders(2, 2, nil, a.Officers[0])
	m.Publish(r)
	require.NoError(t, s.refresh(t))
	listed(true)

	// after a new key, the orders of before can't be read, and end with the release that they were for
	a.Key = trust.NewListKey()
	m.Publish(a.Release(3, "example.org"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 3)
	listed(false)
}

func TestConfidentialHold(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	s := newReader(t, a, identity, m.Dir)
	require.NoError(t, s.refresh(t))
	a.Key = trust.NewListKey()
	m.Publish(a.Release(2, "example.org", "com"))
	require.NoError(t, s.refresh(t))
	require.NotNil(t, s.Status().Hold)
	s.enforces(t, 1)
	s.restart(t, m.Dir)
	require.NoError(t, s.Accept(t.Context(), s.Status().Hold.ID))
	s.enforces(t, 2)
	require.NoError(t, s.refresh(t))
}

func TestListBecomesConfidential(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a := trusttest.NewAgency(t, online.Key)
	m := a.NewMirror(online)
	m.Publish(a.Release(1, "example.org"))
	s := newReader(t, a, identity, m.Dir)
	late := newReader(t, a, nil, m.Dir)
	require.NoError(t, s.refresh(t))
	require.NoError(t, late.refresh(t))
	a.Key, a.To = trust.NewListKey(), []trust.Recipient{to}
	a.Rotate()
	m.Publish(a.Release(2, "example.org"))
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	late.refuses(t, blocklist.ErrNoKey, 1)
}

// A mirror that leads back to what is not encrypted, no matter who has signed it, is not believed.
func TestConfidentialDowngrade(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	s := newReader(t, a, identity, m.Dir)
	require.NoError(t, s.refresh(t))
	plain := *a
	plain.Key = nil
	m.Publish(plain.Release(2, "example.org"))
	s.refuses(t, blocklist.ErrUntrusted, 1)

	h, text := a.Text(3, "example.org")
	m.Publish(a.Pack(h, trusttest.Compress(t, text)))
	s.refuses(t, blocklist.ErrMalformed, 1)
}

func TestWrongListKey(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, false)
	a, m := newConfidential(t, to)
	s := newReader(t, a, identity, m.Dir)
	r := a.Release(2, "example.org")
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	spec, err = spec.Open(a.Key)
	require.NoError(t, err)
	file, err := trust.EncryptKey(trust.NewListKey(), a.To)
	require.NoError(t, err)
	sum := sha256.Sum256(file)
	spec.Keys[0] = trust.NewKeyFile(trust.KindX25519, int64(len(file)), sum[:])
	r.Files[spec.Keys[0].Path] = file
	targets, err := trust.NewTargets(spec)
	require.NoError(t, err)
	r.Targets = trusttest.Sign(t, targets, a.Officers...)
	m.Publish(r)
	s.refuses(t, blocklist.ErrUntrusted, 0)
	assert.ErrorContains(t, s.refresh(t), "not the one that was signed")
}

// An origin has no key, and refuses what is not encrypted as it must be.
func TestConfidentialOrigin(t *testing.T) {
	t.Parallel()
	identity, to := newRecipient(t, true)
	o, a, server := newOrigin(t)
	a.Key, a.To = trust.NewListKey(), []trust.Recipient{to}
	a.Urgent = trust.Urgent{Entries: 1, Hours: 24}
	a.Rotate()
	before := a.Release(1, "example.org")
	push(t, o, a, before)
	next := a.Delta(before, "+www.example.net")
	next.Urgent = a.Orders(1, 2, []string{"bad.example expires=2999-01-01"}, a.Officers[0])
	push(t, o, a, next)
	push(t, o, a, next)
	s := newReader(t, a, identity, server.URL)
	require.NoError(t, s.refresh(t))
	s.enforces(t, 2)
	_, ok := s.store.LookupHost("bad.example")
	assert.True(t, ok)

	plain := *a
	plain.Key = nil
	_, err := o.Accept(t.Context(), bytes.NewReader(plain.Bundle(plain.Release(3, "www.example.net"))))
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	h, text := a.Text(3, "www.example.net")
	_, err = o.Accept(t.Context(), bytes.NewReader(a.Bundle(a.Pack(h, trusttest.Compress(t, text)))))
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "not encrypted")
	assert.NotContains(t, err.Error(), "www.example.net")
}
