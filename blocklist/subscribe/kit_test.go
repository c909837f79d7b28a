package subscribe_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/verified"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

var online = trusttest.NewPerson("origin")

// subscriber is a store with a subscription to the test list.
type subscriber struct {
	*subscribe.Subscription
	store *blocklist.Store
	dir   string
	c     subscribe.Config
}

func newSubscriber(t *testing.T, a *trusttest.Agency, origins ...string) *subscriber {
	t.Helper()
	s := &subscriber{dir: t.TempDir(), c: subscribe.Config{List: a.List, Root: a.Roots[0], Origins: origins}}
	s.start(t)
	t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
	return s
}

func (s *subscriber) start(t *testing.T) {
	t.Helper()
	var err error
	s.store, err = blocklist.Open(s.dir, blocklist.Options{})
	require.NoError(t, err)
	s.Subscription, err = subscribe.New(s.store, s.c)
	require.NoError(t, err)
}

// restart ends the store and starts again with other origins.
func (s *subscriber) restart(t *testing.T, origins ...string) {
	t.Helper()
	require.NoError(t, s.store.Close())
	s.c.Origins = origins
	s.start(t)
}

func (s *subscriber) refresh(t *testing.T) error {
	t.Helper()
	_, err := s.Refresh(t.Context())
	return err
}

// enforces fails the test unless serial is in force and blocks example.org.
func (s *subscriber) enforces(t *testing.T, serial uint64) {
	t.Helper()
	assert.Equal(t, serial, s.Status().Serial)
	_, ok := s.store.LookupHost("example.org")
	assert.Equal(t, serial > 0, ok)
}

// refuses fails the test unless a poll fails with want and leaves serial in force, now and after a restart.
func (s *subscriber) refuses(t *testing.T, want error, serial uint64) {
	t.Helper()
	err := s.refresh(t)
	assert.ErrorIs(t, err, want)
	assert.Equal(t, err, s.Status().Err)
	s.enforces(t, serial)
	s.restart(t, s.c.Origins...)
	s.enforces(t, serial)
}

// newOrigin starts an origin that trusts the list of an agency.
func newOrigin(t *testing.T) (*origin.Origin, *trusttest.Agency, *httptest.Server) {
	t.Helper()
	dir := t.TempDir()
	public, err := origin.Init(dir)
	require.NoError(t, err)
	key, err := notekey.Parse(public)
	require.NoError(t, err)
	a := trusttest.NewAgency(t, key)
	o, err := origin.Open(dir, origin.Options{})
	require.NoError(t, err)
	_, err = o.Trust(a.Roots[0])
	require.NoError(t, err)
	server := httptest.NewServer(o.Handler())
	t.Cleanup(server.Close)
	return o, a, server
}

func push(t *testing.T, o *origin.Origin, a *trusttest.Agency, r trusttest.Release) {
	t.Helper()
	_, err := o.Accept(t.Context(), bytes.NewReader(a.Bundle(r)))
	require.NoError(t, err)
}

func signed(t *testing.T, store *blocklist.Store, list string) *blocklist.SignedList {
	t.Helper()
	l, err := store.Signed(verified.Token{}, list)
	require.NoError(t, err)
	return l
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// records collects what is logged.
type records struct {
	mu   sync.Mutex
	seen []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, rec.Level.String()+" "+rec.Message)
	return nil
}

const hour = time.Hour
