package subscribe_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// number reads what the environment asks for.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestSoak makes updates of one entry, from the ledger over the origin to enforcement, and logs what they cost: times,
// bytes on the wire, memory and disk. ARGINE_SOAK is the number of updates, ARGINE_SOAK_ENTRIES the length of the list.
func TestSoak(t *testing.T) {
	updates := number("ARGINE_SOAK", 0)
	if updates == 0 {
		t.Skip("ARGINE_SOAK says how many updates to make")
	}
	w := newWay(t, number("ARGINE_SOAK_ENTRIES", 1_000_000))
	w.publish(t)
	require.Eventually(t, func() bool { return w.sub.Status().Serial == 1 }, 5*time.Minute, 10*time.Millisecond)
	time.Sleep(time.Second) // connections are made
	w.figures(t, "start")
	for i := range updates {
		name := fmt.Sprintf("soak-%d.example", i/2)
		change := []blocklist.Entry{line(t, name+" category=test")}
		var err error
		if i%2 == 0 {
			_, err = w.ledger.Add(t.Context(), change, who)
		} else {
			_, err = w.ledger.Remove(t.Context(), change, who)
		}
		require.NoError(t, err)
		w.publish(t)
		w.await(t, name, i%2 == 0)
		if i < 2 || (i+1)%max(updates/10, 1) == 0 {
			w.figures(t, fmt.Sprint(i+1))
		}
	}
}

var who = publish.Audit{Author: "anna", Reason: "test"}

// way is an agency, an origin on loopback and a subscriber in one process.
type way struct {
	dir      string
	ledger   *publish.Ledger
	officers []crypto.Signer
	url      string
	store    *blocklist.Store
	sub      *subscribe.Subscription
	wire     atomic.Int64
	released time.Duration
	pushed   time.Duration
	took     []time.Duration // from the origin's acceptance to enforcement
}

func newWay(t *testing.T, entries int) *way {
	t.Helper()
	w := &way{dir: t.TempDir()}
	o := w.newAgency(t)
	all := func(yield func(blocklist.Entry, error) bool) {
		at := uint64(0) // in the order of a release, as most lists are
		for range entries {
			at += 1 + rand.Uint64N(1<<42/uint64(entries))
			e, err := blocklist.ParseEntry(fmt.Sprintf("n%011x.example category=test", at))
			if !yield(e, err) {
				return
			}
		}
	}
	_, err := w.ledger.Import(t.Context(), iter.Seq2[blocklist.Entry, error](all), who, nil)
	require.NoError(t, err)
	server := httptest.NewServer(o.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	root, err := os.ReadFile(filepath.Join(w.dir, "agency", "root.json"))
	require.NoError(t, err)
	w.store, err = blocklist.Open(filepath.Join(w.dir, "store"), blocklist.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	w.sub, err = subscribe.New(w.store, subscribe.Config{
		List: "it.example/test", Root: root, Origins: []string{w.url}, Client: &http.Client{Transport: w.counting()},
	})
	require.NoError(t, err)
	(&subscriber{Subscription: w.sub}).run(t)
	return w
}

func (w *way) newAgency(t *testing.T) *origin.Origin {
	t.Helper()
	public, err := origin.Init(filepath.Join(w.dir, "origin"))
	require.NoError(t, err)
	var officers []string
	for _, name := range []string{"anna", "bruno"} {
		path := filepath.Join(w.dir, name+".key")
		pub, err := keys.Generate(path, filepath.Join(w.dir, name+".pub"), name, "")
		require.NoError(t, err)
		key, err := keys.Load(path, nil)
		require.NoError(t, err)
		officers, w.officers = append(officers, pub), append(w.officers, key)
	}
	dir := filepath.Join(w.dir, "agency")
	require.NoError(t, publish.Init(t.Context(), dir, publish.InitOptions{
		List: "it.example/test", OriginKey: public, Officers: officers, Threshold: 2, Author: "anna",
	}))
	w.ledger, err = publish.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.ledger.Close()) })
	w.sign(t)
	root, err := os.ReadFile(filepath.Join(dir, "root.json"))
	require.NoError(t, err)
	o, err := origin.Open(filepath.Join(w.dir, "origin"), origin.Options{})
	require.NoError(t, err)
	_, err = o.Trust(root)
	require.NoError(t, err)
	return o
}

func (w *way) sign(t *testing.T) {
	t.Helper()
	for _, key := range w.officers {
		p, err := w.ledger.Pending()
		require.NoError(t, err)
		_, err = w.ledger.Sign(t.Context(), p, key)
		require.NoError(t, err)
	}
}

// publish goes from the ledger to the origin.
func (w *way) publish(t *testing.T) {
	t.Helper()
	start := time.Now()
	_, _, err := w.ledger.Release(t.Context(), "anna")
	require.NoError(t, err)
	w.released = time.Since(start)
	w.sign(t)
	w.wire.Store(0)
	start = time.Now()
	_, err = w.ledger.Push(t.Context(), publish.ToHTTP(http.DefaultClient, w.url), who)
	require.NoError(t, err)
	w.pushed = time.Since(start)
}

// await waits until a name is listed, or no more.
func (w *way) await(t *testing.T, name string, listed bool) {
	t.Helper()
	accepted, err := os.Stat(filepath.Join(w.dir, "origin", "lists", "it.example", "test", "timestamp.json"))
	require.NoError(t, err)
	for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		if _, ok := w.store.LookupHost(name); ok == listed {
			break
		}
		require.Less(t, time.Since(start), time.Minute, "%s: %v", name, w.sub.Status().Err)
	}
	w.took = append(w.took, time.Since(accepted.ModTime()))
}

// counting is a transport that counts what goes over the wire, both ways.
func (w *way) counting() http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countingConn{c, &w.wire}, err
	}}
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// figures logs what the last update has cost, and where things stand.
func (w *way) figures(t *testing.T, when string) {
	t.Helper()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	took := slices.Sorted(slices.Values(append(w.took, 0)))
	t.Logf("%6s: release %s, push %s, to enforcement median %s, 99%% %s; wire %d bytes; RSS %s, heap %d MB; disk: agency %d MB, origin %d MB, store %d MB",
		when, w.released.Round(time.Millisecond), w.pushed.Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond/10),
		took[len(took)*99/100].Round(time.Millisecond/10), w.wire.Load(), rss(), m.HeapInuse>>20,
		diskUse(t, w.dir, "agency"), diskUse(t, w.dir, "origin"), diskUse(t, w.dir, "store"))
}

// rss is the resident memory of the process, where the system tells.
func rss() string {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range bytes.Lines(b) {
		if rest, ok := strings.CutPrefix(string(l), "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

func diskUse(t *testing.T, parts ...string) (mb int64) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(parts...), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := d.Info(); err == nil {
			mb += info.Size()
		}
		return nil
	})
	require.NoError(t, err)
	return mb >> 20
}

func line(t *testing.T, text string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(text)
	require.NoError(t, err)
	return e
}
