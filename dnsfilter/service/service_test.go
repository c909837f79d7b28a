package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// running is a service under test: its folder, its address, and the way to make it reload.
type running struct {
	dir, addr string
	reload    chan struct{}
	log       *logtest.Buffer
	stop      func() error
}

// newFolder makes a folder with settings; the service is to listen at addr and to ask a zone.
func newFolder(t *testing.T, lists string) *running {
	t.Helper()
	resolver, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Upstream: dnstest.NewZone(t, "$TTL 300\n*. A 192.0.2.3\n. SOA ns. h. 1 2 3 4 5\n")}))
	l, addr := dnstest.Listen(t)
	require.NoError(t, l.Close())
	r := &running{dir: t.TempDir(), addr: addr, reload: make(chan struct{}), log: &logtest.Buffer{}}
	r.write(t, "head.yaml", fmt.Sprintf("listen: [udp://%s, tcp://%s]\nupstream: [%s]\nlocal: []\nstate: state\n", addr, addr, resolver))
	r.settings(t, lists)
	return r
}

func (r *running) write(t *testing.T, name, text string) {
	t.Helper()
	dnstest.WriteFile(t, r.dir, name, text)
}

// head returns the settings before those of lists.
func (r *running) head(t *testing.T) string {
	t.Helper()
	head, err := os.ReadFile(filepath.Join(r.dir, "head.yaml"))
	require.NoError(t, err)
	return string(head)
}

func (r *running) settings(t *testing.T, lists string) {
	t.Helper()
	r.write(t, "next.yaml", r.head(t)+lists) // a reload may be reading the old one
	require.NoError(t, os.Rename(filepath.Join(r.dir, "next.yaml"), filepath.Join(r.dir, "dnsfilter.yaml")))
}

func (r *running) read() (*config.Settings, error) {
	return config.Read(filepath.Join(r.dir, "dnsfilter.yaml"))
}

// start runs the service until the test ends or stop is called.
func (r *running) start(t *testing.T) *service.Service {
	t.Helper()
	s, err := service.New(r.read, slog.New(slog.NewTextHandler(r.log, nil)))
	require.NoError(t, err)
	r.run(t, s)
	return s
}

// run runs a service that New has made.
func (r *running) run(t *testing.T, s *service.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, r.reload) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { assert.NoError(t, r.stop()) })
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "msg=serving") }, time.Minute, 5*time.Millisecond, r.log)
}

func (r *running) rcode(t *testing.T, name string) int {
	t.Helper()
	return dnstest.Exchange(t, "udp", r.addr, dnstest.Question(name, dns.TypeA)).Rcode
}

// becomes waits until a name gets an rcode.
func (r *running) becomes(t *testing.T, name string, rcode int) {
	t.Helper()
	require.Eventually(t, func() bool { return r.rcode(t, name) == rcode }, time.Minute, 50*time.Millisecond, "%s\n%s", name, r.log)
}

// TestDamagedState cuts the state file of a list. The server starts, says so, and reads the list again.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "good.a.test\n")
	r.start(t)
	require.NoError(t, r.stop())
	require.NoError(t, os.Truncate(filepath.Join(r.dir, "state", "lists", "local", "_", "state.json"), 20))
	r.log = &logtest.Buffer{}
	r.start(t)
	assert.Contains(t, r.log.String(), "a list is NOT ENFORCED until it is fetched or read again\" list=local")
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "good.a.test."))
}

const oneList = "lists:\n  - {name: local, file: local.txt}\nallow: [allow.txt]\n"

func TestServiceFollowsItsFiles(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "good.a.test\n")
	r.start(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "good.a.test."))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "b.test."))

	r.write(t, "local.txt", "a.test\nb.test\n")
	r.becomes(t, "b.test.", dns.RcodeNameError)
	r.write(t, "allow.txt", "b.test\n")
	r.becomes(t, "b.test.", dns.RcodeSuccess)
	r.write(t, "local.txt", "<html><body>sorry</body></html>\n")
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "the last good one stays") }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	require.NoError(t, os.Remove(filepath.Join(r.dir, "local.txt")))
	time.Sleep(time.Second)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	assert.NotContains(t, r.log.String(), "good.a.test", "no names in the log")
	assert.NotContains(t, r.log.String(), "b.test.")
}

func TestServiceReloadsItsSettings(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "other.txt", "b.test\n")
	r.write(t, "allow.txt", "# none\n")
	r.start(t)

	r.settings(t, "lists:\n  - {name: local, file: local.txt, action: refused}\n  - {name: other, file: other.txt, action: nodata}\n")
	r.reload <- struct{}{}
	r.becomes(t, "a.test.", dns.RcodeRefused)
	assert.Empty(t, dnstest.Exchange(t, "udp", r.addr, dnstest.Question("b.test.", dns.TypeA)).Answer)

	for _, bad := range []string{
		"lists:\n  - {name: local, file: local.txt, action: explode}\n",
		"lists:\n  - {name: new, file: missing.txt}\n",
		"lists:\n  - {name: new, root: missing.json, from: [https://o.example]}\n",
		"listen: [udp://127.0.0.1:1]\n", // the key is there twice now
	} {
		before := strings.Count(r.log.String(), "the settings in force stay")
		r.settings(t, bad)
		r.reload <- struct{}{}
		require.Eventually(t, func() bool { return strings.Count(r.log.String(), "the settings in force stay") > before }, time.Minute, 10*time.Millisecond)
		assert.Equal(t, dns.RcodeRefused, r.rcode(t, "a.test."), bad)
	}

	r.settings(t, "lists:\n  - {name: other, file: other.txt}\n  - {name: local, file: local.txt}\n") // found without being told
	r.becomes(t, "b.test.", dns.RcodeNameError)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	r.settings(t, "lists:\n  - {name: other, file: other.txt}\n") // takes a list away
	r.reload <- struct{}{}
	r.becomes(t, "a.test.", dns.RcodeSuccess)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))
	require.NoError(t, r.stop())
	assert.Equal(t, []string{"other"}, heldLists(t, filepath.Join(r.dir, "state")), "lists that are gone are forgotten")
}

// A settings file that was cut lifts nothing by itself; who means it reloads.
func TestServiceKeepsWhatACutFileTakesAway(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "# none\n")
	s := r.start(t)
	control := service.NewControl(filepath.Join(r.dir, "state"))
	because := func() string {
		st, err := control.Status(t.Context())
		require.NoError(t, err)
		return st.Settings
	}
	for _, cut := range []string{"", "lists: []\n", "allow: [allow.txt]\n", "lists:\n  - {name: local, file: local.txt, action: monitor}\n"} {
		r.settings(t, oneList)
		require.NoError(t, s.Reload(t.Context()))
		assert.Empty(t, because())
		r.settings(t, cut)
		require.Eventually(t, func() bool { return strings.Contains(because(), "of list local") }, time.Minute, 20*time.Millisecond, cut)
		assert.Contains(t, because(), "run dnsfilter reload or send SIGHUP")
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	}
	assert.Contains(t, r.log.String(), `level=WARN msg="the changed settings take something away and are not obeyed`)
	assert.Contains(t, r.log.String(), `lost="[list local`)
	r.settings(t, "lists: [{name: local\n")
	require.Eventually(t, func() bool { return strings.Contains(because(), "a comma or } is needed") }, time.Minute, 20*time.Millisecond)
	r.settings(t, "")
	require.NoError(t, s.Reload(t.Context()))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))
	assert.Empty(t, because())
}

func heldLists(t *testing.T, dir string) (names []string) {
	t.Helper()
	store, err := blocklist.Open(dir, blocklist.Options{ReadOnly: true})
	require.NoError(t, err)
	defer store.Close()
	for _, info := range store.Lists() {
		names = append(names, info.List)
	}
	return names
}

func TestServiceStartsFromWhatItHolds(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "x.example\n")
	r.start(t)
	require.NoError(t, r.stop())
	loaded := strings.Count(r.log.String(), "list loaded")
	assert.Equal(t, 2, loaded)

	r.log = &logtest.Buffer{}
	r.start(t) // nothing has changed: nothing is read
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	require.NoError(t, r.stop())
	assert.NotContains(t, r.log.String(), "list loaded")

	r.write(t, "local.txt", "b.test\n")
	r.log = &logtest.Buffer{}
	begin := time.Now()
	r.start(t)
	// The old state serves while the new one is read, which is not before this time.
	if rcode := r.rcode(t, "a.test."); time.Since(begin) < 100*time.Millisecond {
		assert.Equal(t, dns.RcodeNameError, rcode)
	}
	r.becomes(t, "b.test.", dns.RcodeNameError)
	assert.Less(t, strings.Index(r.log.String(), "msg=serving"), strings.Index(r.log.String(), "list loaded"))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))
	require.NoError(t, r.stop())

	require.NoError(t, os.Remove(filepath.Join(r.dir, "local.txt")))
	r.log = &logtest.Buffer{}
	r.start(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "b.test."))
}

func TestServiceDoesNotStartUnfiltered(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "allow.txt", "x.example\n")
	s, err := service.New(r.read, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.ErrorIs(t, s.Run(t.Context(), nil), os.ErrNotExist)

	r.write(t, "local.txt", "a.test\n")
	r.start(t)
	_, err = service.New(r.read, slog.New(slog.DiscardHandler))
	assert.ErrorIs(t, err, blocklist.ErrBusy)
}

// TestReloadUnderLoad replaces the list and the settings again and again; no query is lost, and none is answered
// wrongly.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "always.test\n")
	r.write(t, "allow.txt", "x.example\n")
	r.start(t)
	var answered atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name, want := "always.test.", dns.RcodeNameError
				if i%2 == 1 {
					name, want = "never.example.", dns.RcodeSuccess
				}
				if assert.Equal(t, want, r.rcode(t, name)) {
					answered.Add(1)
				}
			}
		})
	}
	for i := 0; ctx.Err() == nil; i++ {
		r.write(t, "local.txt", fmt.Sprintf("always.test\nother%d.test\n", i))
		r.settings(t, fmt.Sprintf("cache: %dMiB\n", 1+i%9)+oneList)
		r.reload <- struct{}{}
		if i >= 20 && answered.Load() > 500 {
			cancel()
		}
	}
	wg.Wait()
	assert.Greater(t, answered.Load(), int64(500))
}

func TestLookup(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: local, file: local.txt}\n  - {name: it.example/csam, root: r.json, from: [https://o.example], action: refused}\n")
	r.write(t, "local.txt", "a.test category=x\n=h.test\n")
	s, err := r.read()
	require.NoError(t, err)
	lookup := func(name string) (string, string) {
		d, err := service.Explain(s, name, netip.Addr{}, slog.New(slog.NewTextHandler(r.log, nil)))
		require.NoError(t, err)
		return d.Action.String(), d.Match.Category
	}
	check := func(name, action, category string) {
		t.Helper()
		a, c := lookup(name)
		assert.Equal(t, []string{action, category}, []string{a, c}, name)
	}
	check("www.a.test", "nxdomain", "x") // nothing is held: the file is read
	assert.Contains(t, r.log.String(), "nothing is held of a list")
	check("h.test", "nodata", "")
	assert.NoDirExists(t, filepath.Join(r.dir, "state"))

	store, err := blocklist.Open(filepath.Join(r.dir, "state"), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	blocktest.SetList(t, store, "local", "a.test category=old\nb.test")
	blocktest.SetList(t, store, "it.example/csam", "c.test")
	check("a.test", "nxdomain", "x") // the file is newer than what is held
	check("b.test", "pass", "")
	check("c.test", "refused", "")
	_, err = service.Explain(s, "not..a.name", netip.Addr{}, slog.New(slog.DiscardHandler))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}
