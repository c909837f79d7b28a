package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

// fetchedLists are a web server and a primary, each with a list of the current version.
type fetchedLists struct {
	version atomic.Int64
	web     *httptest.Server
	primary string // address
}

func newFetchedLists(t *testing.T) *fetchedLists {
	t.Helper()
	f := &fetchedLists{}
	f.version.Store(1)
	f.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, webText(f.version.Load())) }))
	t.Cleanup(f.web.Close)
	f.primary = freeport.Addr(t)
	started := make(chan struct{})
	server := &dns.Server{Addr: f.primary, Net: "tcp", Handler: f, NotifyStartedFunc: func() { close(started) }}
	go func() { _ = server.ListenAndServe() }()
	<-started
	t.Cleanup(func() { _ = server.Shutdown() })
	return f
}

// webText returns a version of the list at the web server.
func webText(version int64) string {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "web%d.example.org\n", i)
	}
	fmt.Fprintf(&b, "web-v%d.example.net\n# end\n", version)
	return b.String()
}

// ServeDNS implements [dns.Handler] for the zone at the primary.
func (f *fetchedLists) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	version := f.version.Load()
	record := func(text string) dns.RR {
		rr, err := dns.NewRR("$ORIGIN feed.example.\n$TTL 60\n" + text)
		if err != nil {
			panic(err)
		}
		return rr
	}
	soa := record(fmt.Sprintf("@ SOA localhost. mail.example. %d 60 5 86400 60", version))
	if q.Question[0].Qtype == dns.TypeSOA {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative, m.Answer = true, []dns.RR{soa}
		_ = w.WriteMsg(m)
		return
	}
	all := []dns.RR{soa, record(fmt.Sprintf("zone-v%d.example.net CNAME .", version))}
	for i := range 20_000 {
		all = append(all, record(fmt.Sprintf("zone%d.example.org CNAME .", i)))
	}
	all = append(all, soa)
	envelopes := make(chan *dns.Envelope, len(all))
	for i := 0; i < len(all); i += 500 {
		envelopes <- &dns.Envelope{RR: all[i:min(i+500, len(all))]}
	}
	close(envelopes)
	_ = new(dns.Transfer).Out(w, q, envelopes)
	_ = w.Close()
}

// TestFetchKilled ends a resolver with kill -9 while it fetches lists, round after round. What was listed is blocked
// whenever it answers, files are whole, and in the end the newest lists are in force.
func TestFetchKilled(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	lists := newFetchedLists(t)
	w.write("dnsfilter.yaml", fmt.Sprintf(`
listen: [udp://%[1]s, tcp://%[1]s]
upstream: [%[2]s]
state: state
lists:
  - {name: web, url: %[3]s, allow_http: on, scope: domain}
  - {name: feed, rpz: feed.example, primary: %[4]s, key: none}
`, w.resolver, w.upstream(), lists.web.URL, lists.primary))
	server := w.start("dnsfilter", "serve", "-c", "dnsfilter.yaml")
	blocked := func(name string) bool { return rcode(w.resolver, name) == dns.RcodeNameError }
	require.Eventually(t, func() bool { return blocked("web7.example.org") && blocked("zone7.example.org") }, 30*time.Second, 20*time.Millisecond)
	for range 20 {
		version := lists.version.Add(1)
		_ = w.command(t.Context(), "dnsfilter", "reload", "-c", "dnsfilter.yaml").Run() // the server may just be starting
		time.Sleep(time.Duration(rnd.IntN(150)) * time.Millisecond)
		server.kill()
		require.Eventually(t, func() bool { return rcode(w.resolver, "web7.example.org") >= 0 }, 30*time.Second, time.Millisecond)
		assert.True(t, blocked("web7.example.org") && blocked("zone7.example.org"), "at once, from the disk")
		text, err := os.ReadFile(filepath.Join(w.dir, "state/fetched/web/list"))
		require.NoError(t, err)
		whole := false
		for v := version; v > 0 && !whole; v-- {
			whole = string(text) == webText(v)
		}
		assert.True(t, whole, "the list is one of the versions")
		text, err = os.ReadFile(filepath.Join(w.dir, "state/fetched/feed/list"))
		require.NoError(t, err)
		assert.True(t, strings.HasSuffix(string(text), "\n; end of the zone\n"))
	}
	last := lists.version.Load()
	require.Eventually(t, func() bool {
		_ = w.command(t.Context(), "dnsfilter", "reload", "-c", "dnsfilter.yaml").Run()
		return blocked(fmt.Sprintf("web-v%d.example.net", last)) && blocked(fmt.Sprintf("zone-v%d.example.net", last))
	}, 30*time.Second, 200*time.Millisecond)
	for _, list := range []string{"web", "feed"} {
		left, err := os.ReadDir(filepath.Join(w.dir, "state/fetched", list))
		require.NoError(t, err)
		assert.Len(t, left, 2, "the list and its state, and no temporary files: %v", left)
	}
}
