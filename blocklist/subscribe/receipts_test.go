package subscribe_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// confirmation is a subscriber that confirms to an origin what it enforces.
type confirmation struct {
	*subscriber

	origin *origin.Origin
	agency *trusttest.Agency
	keys   receipt.Keys
	ended  func()

	mu     sync.Mutex
	probes []subscribe.Probe
	wrong  error // what the probe finds
}

func newConfirmation(t *testing.T, between ...func(http.Handler) http.Handler) *confirmation {
	t.Helper()
	o, a, server := newOrigin(t)
	for _, wrap := range between {
		server = httptest.NewServer(wrap(o.Handler()))
		t.Cleanup(server.Close)
	}
	private, public, err := note.GenerateKey(rand.Reader, "isp.example")
	require.NoError(t, err)
	key, err := receipt.ParseSigner(private)
	require.NoError(t, err)
	_, err = o.AddSubscriber(t.Context(), trusttest.List, public)
	require.NoError(t, err)
	c := &confirmation{origin: o, agency: a}
	c.keys, err = receipt.ParseKeys(public)
	require.NoError(t, err)
	c.subscriber = newSubscriber(t, a, server.URL)
	c.c.Interval = time.Hour // announcements have to do
	c.c.Receipts = &subscribe.Receipts{Key: key, Probe: c.probe}
	c.restart(t, server.URL)
	return c
}

// probe says what the test wants, after a look into the store as a resolver would have it.
func (c *confirmation) probe(_ context.Context, p subscribe.Probe) (receipt.Asked, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes = append(c.probes, p)
	if _, ok := c.store.LookupHost(p.Test); !ok {
		return receipt.Asked{}, errors.New("the canary is not in force")
	}
	if _, ok := c.store.LookupHost(p.Gone); ok {
		return receipt.Asked{}, errors.New("the old canary is in force")
	}
	return receipt.Asked{Test: 1, Gone: 1, Added: len(p.Added), Removed: len(p.Removed)}, c.wrong
}

func (c *confirmation) find(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = err
}

func (c *confirmation) last() subscribe.Probe {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probes[len(c.probes)-1]
}

func (c *confirmation) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	c.ended = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(c.ended)
}

// taken returns what the origin has.
func (c *confirmation) taken(t *testing.T) (all []receipt.Receipt) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, c.origin.WriteReceipts(trusttest.List, &b))
	for one, err := range receipt.Split(&b) {
		require.NoError(t, err)
		r, holder, err := receipt.Open(one, c.keys)
		require.NoError(t, err)
		assert.Equal(t, "isp.example", holder)
		all = append(all, r)
	}
	return all
}

func (c *confirmation) wait(t *testing.T, receipts int) receipt.Receipt {
	t.Helper()
	require.Eventually(t, func() bool { return len(c.taken(t)) == receipts }, time.Minute, 20*time.Millisecond, "%+v", c.Status().Receipts)
	return c.taken(t)[receipts-1]
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	c := newConfirmation(t)
	first := c.agency.Release(1, "example.org", "=www.example.net", "https://site.example/x", "monitored.example status=monitor")
	push(t, c.origin, c.agency, first)
	began := time.Now().Truncate(time.Second)
	c.run(t)
	r := c.wait(t, 1)
	st := c.Status()
	assert.Equal(t, trusttest.List, r.List)
	assert.Equal(t, uint64(1), r.Serial)
	assert.Equal(t, st.Digest.String(), r.Digest)
	assert.False(t, r.Received.Before(began), r.Received)
	assert.False(t, r.Enforced.Before(r.Received))
	assert.Equal(t, receipt.Asked{Test: 1, Gone: 1, Added: 2}, r.Asked, "what a resolver can be asked for")
	assert.Equal(t, blocklist.CanaryName(trusttest.List, 1), c.last().Test)
	require.Eventually(t, func() bool { s := c.Status().Receipts; return s.Waiting == 0 && !s.Delivered.IsZero() }, 10*time.Second, time.Millisecond)

	second := c.agency.Delta(first, "-example.org", "+new.example")
	push(t, c.origin, c.agency, second)
	r = c.wait(t, 2)
	assert.Equal(t, uint64(2), r.Serial)
	p := c.last()
	assert.Equal(t, blocklist.CanaryName(trusttest.List, 1), p.Gone)
	require.Len(t, p.Added, 1)
	assert.Equal(t, "new.example", p.Added[0].Target())
	require.Len(t, p.Removed, 1)
	assert.Equal(t, "example.org", p.Removed[0].Target())

	// What was confirmed once is not confirmed again after a restart.
	c.ended()
	c.restart(t, c.c.Origins...)
	probes := len(c.probes)
	c.run(t)
	require.Eventually(t, func() bool { s := c.Status(); return s.Receipts != nil && !s.Checked.IsZero() }, 10*time.Second, time.Millisecond)
	assert.Equal(t, uint64(2), c.Status().Receipts.Serial)
	c.ended()
	assert.Len(t, c.probes, probes)
	assert.Len(t, c.taken(t), 2)
}

// Between a release's coming into force and its receipt the process may end: the next one confirms it, with the time at
// which it was received.
func TestReceiptAfterARestart(t *testing.T) {
	t.Parallel()
	c := newConfirmation(t)
	push(t, c.origin, c.agency, c.agency.Release(1, "example.org"))
	require.NoError(t, c.refresh(t)) // without Run nothing is confirmed
	assert.Nil(t, c.Status().Receipts)
	files, err := filepath.Glob(filepath.Join(c.dir, "lists", filepath.FromSlash(trusttest.List), "_", "release-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	received := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
	require.NoError(t, os.Chtimes(files[0], received, received))
	c.restart(t, c.c.Origins...)
	c.run(t)
	r := c.wait(t, 1)
	assert.Equal(t, received, r.Received)
	assert.WithinDuration(t, time.Now(), r.Enforced, 20*time.Second)
}

// A receipt waits on the disk while the origin is away, through restarts.
func TestReceiptsWait(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	var posts atomic.Int32
	c := newConfirmation(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				posts.Add(1)
				if away.Load() {
					http.Error(w, "come back later", http.StatusServiceUnavailable)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	})
	away.Store(true)
	push(t, c.origin, c.agency, c.agency.Release(1, "example.org"))
	c.run(t)
	require.Eventually(t, func() bool { s := c.Status().Receipts; return s != nil && s.Waiting == 1 && s.Err != nil }, 20*time.Second, time.Millisecond)
	assert.ErrorContains(t, c.Status().Receipts.Err, "come back later")
	assert.Equal(t, int32(1), posts.Load(), "one try, and then a pause")
	c.ended()
	away.Store(false)
	c.restart(t, c.c.Origins...)
	c.run(t)
	c.wait(t, 1)
	require.Eventually(t, func() bool { s := c.Status().Receipts; return s.Waiting == 0 && s.Err == nil }, 10*time.Second, time.Millisecond)
}

// No receipt without a proof.
func TestReceiptNeedsAProof(t *testing.T) {
	t.Parallel()
	c := newConfirmation(t)
	c.find(fmt.Errorf("the action is monitor: %w", subscribe.ErrNotEnforced))
	push(t, c.origin, c.agency, c.agency.Release(1, "example.org"))
	c.run(t)
	require.Eventually(t, func() bool { s := c.Status().Receipts; return s != nil && s.Err != nil }, 20*time.Second, time.Millisecond)
	assert.ErrorIs(t, c.Status().Receipts.Err, subscribe.ErrNotEnforced)
	assert.Zero(t, c.Status().Receipts.Serial)
	assert.Empty(t, c.taken(t))
	c.find(nil)
	r := c.wait(t, 1)
	assert.Equal(t, uint64(1), r.Serial)
	require.Eventually(t, func() bool { return c.Status().Receipts.Err == nil }, 10*time.Second, time.Millisecond)
}

// A mirror that takes no receipts is left alone, whatever it answers; the origin behind it in the list gets them.
func TestReceiptsPassMirrors(t *testing.T) {
	t.Parallel()
	c := newConfirmation(t)
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	var asked atomic.Int32
	var origins []string
	for _, answer := range []func(http.ResponseWriter, *http.Request){
		func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusMethodNotAllowed) },
		func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) },
		func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Redirect(w, r, "/moved", http.StatusFound) // the client would go on with GET
				return
			}
			w.WriteHeader(http.StatusCreated)
		},
	} {
		mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				asked.Add(1)
				answer(w, r)
				return
			}
			if r.URL.Path == "/moved" {
				answer(w, r)
				return
			}
			http.NotFound(w, r)
		}))
		defer mirror.Close()
		origins = append(origins, mirror.URL)
	}
	folder := c.agency.NewMirror(online)
	c.restart(t, append(append(origins, folder.Dir), c.c.Origins...)...)
	first := c.agency.Release(1, "example.org")
	push(t, c.origin, c.agency, first)
	c.run(t)
	c.wait(t, 1)
	assert.Equal(t, int32(4), asked.Load())
	push(t, c.origin, c.agency, c.agency.Delta(first, "+example.net"))
	c.wait(t, 2)
	assert.Equal(t, int32(4), asked.Load(), "they are not asked again")
}

// What an origin refuses stays, and does not keep the others from it.
func TestReceiptsRefused(t *testing.T) {
	t.Parallel()
	c := newConfirmation(t)
	require.NoError(t, c.origin.RemoveSubscriber(t.Context(), trusttest.List, "isp.example"))
	push(t, c.origin, c.agency, c.agency.Release(1, "example.org"))
	c.run(t)
	require.Eventually(t, func() bool { s := c.Status().Receipts; return s != nil && s.Err != nil }, 20*time.Second, time.Millisecond)
	s := c.Status().Receipts
	assert.ErrorContains(t, s.Err, "no key that is known")
	assert.Equal(t, 1, s.Waiting)
}

func TestReceiptsNeedKeyAndProbe(t *testing.T) {
	t.Parallel()
	_, err := subscribe.New(nil, subscribe.Config{List: trusttest.List, Receipts: &subscribe.Receipts{}})
	assert.ErrorContains(t, err, "receipts need")
}

func TestSigned(t *testing.T) {
	t.Parallel()
	o, a, server := newOrigin(t)
	first := a.Release(1, "example.org")
	push(t, o, a, first)
	a.Rotate()
	push(t, o, a, a.Delta(first, "+example.net"))
	c := subscribe.Config{List: trusttest.List, Root: a.Roots[0], Origins: []string{"http://127.0.0.1:1", server.URL}}
	all, err := subscribe.Signed(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.ElementsMatch(t, []uint64{1, 2}, []uint64{all[0].Serial, all[1].Serial})
	assert.Len(t, all[0].Digest, 64)
	assert.Equal(t, a.Created.Unix(), all[0].Created.Unix())

	other := c
	other.List = "it.example/other"
	_, err = subscribe.Signed(t.Context(), other)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	stranger := trusttest.NewAgency(t, a.Online)
	stranger.Officers, stranger.Roots = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}, nil
	stranger.Rotate()
	other = c
	other.Root = stranger.Roots[0]
	_, err = subscribe.Signed(t.Context(), other)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	server.Close()
	_, err = subscribe.Signed(t.Context(), c)
	assert.Error(t, err)
}
