package desk_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// atADesk is how many people read at the same time.
const atADesk = 200

// Two hundred people read a list of a million entries, each with a name of their own. They read the same 300 pages, or
// pages that no one has read before; without a pause, or with a second between two pages.
func BenchmarkReaders(b *testing.B) {
	entries := 1_000_000
	if testing.Short() {
		entries = 20_000
	}
	a := newAgency(b)
	a.fill(b, entries)
	for i := range atADesk {
		role := publish.Roles()[min(i%8, 3)] // most of them are auditors
		require.NoError(b, a.SetRole(b.Context(), fmt.Sprint("person", i), role, audit))
	}
	a.openBehindProxy(b)
	var other atomic.Int64
	other.Store(1000)
	pages := map[string]func() int64{
		"same":     func() int64 { return rand.Int64N(300) },
		"distinct": func() int64 { return other.Add(1) },
	}
	for _, which := range []string{"same", "distinct"} {
		for _, pause := range []time.Duration{0, time.Second} {
			b.Run(fmt.Sprint(which, "/", pause), func(b *testing.B) { a.readers(b, pages[which], pause, entries) })
		}
	}
}

// fill lists entries of all kinds by a few orders, publishes them, and lists and proposes some more.
func (a *agency) fill(b *testing.B, entries int) {
	b.Helper()
	start := time.Now()
	const orders = 10
	for order := range orders {
		by := publish.Audit{Author: "carla", Reason: "as ordered", Override: "the guards know no test"}
		_, err := a.Import(b.Context(), func(yield func(blocklist.Entry, error) bool) {
			for i := order; i < entries; i += orders {
				if !yield(blocklist.ParseEntry(line(int64(i)) + fmt.Sprintf(` category=test ref="order %d"`, order))) {
					return
				}
			}
		}, by, nil)
		require.NoError(b, err)
	}
	a.release(b)
	for i := range 500 {
		a.list(b, fmt.Sprintf(`late%d.example category=other ref="case %d" expires=2099-01-02 review=2099-01-01`, i, i))
	}
	var all []proposal.Proposal
	for i := range entries / 20 {
		all = append(all, proposal.Proposal{Target: fmt.Sprintf("https://proposed%d.example/%d", i%1000, i), Source: fmt.Sprint("source ", i%20), Category: fmt.Sprint("kind", i%7)})
	}
	for part := range slices.Chunk(all, 10_000) {
		_, err := proposal.Propose(b.Context(), a.Ledger, part, audit, nil)
		require.NoError(b, err)
	}
	b.Logf("made in %v", time.Since(start).Round(time.Second))
}

// line returns the target of an entry.
func line(i int64) string {
	switch i % 20 {
	case 0:
		return fmt.Sprintf("https://social%d.example/user/%d", i%1000, i)
	case 1, 2, 3:
		return fmt.Sprintf("=www.host%d.example", i)
	case 4, 5, 6:
		return fmt.Sprintf("sub.site%d.example", i+3)
	}
	return fmt.Sprintf("site%d.example", i)
}

// pageOf returns the path of a page. The first ten are those that everyone looks at.
func pageOf(n int64, entries int) string {
	common := []string{
		"/", "/pending", "/due", "/urgent", "/history", "/proposals", "/proposals?state=new", "/subscribers", "/platforms",
		"/proposals?mine=1",
	}
	if n < int64(len(common)) {
		return common[n]
	}
	of := line(n * 7919 % int64(entries))
	switch n % 10 {
	case 0, 1:
		return "/entries?after=" + of
	case 2, 3, 4:
		return "/entry?of=" + of
	case 5, 6:
		return fmt.Sprintf("/search?q=site%d.example", n*7919%int64(entries))
	case 7:
		return fmt.Sprintf("/history?author=c*&reference=case+%d*", n)
	case 8:
		return fmt.Sprint("/proposal/", n%int64(entries/20)+1)
	}
	return fmt.Sprintf("/proposals?source=source+%d&after=%d", n%20, n%int64(entries/20)+1)
}

// readers reads b.N pages.
func (a *agency) readers(b *testing.B, next func() int64, pause time.Duration, entries int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atADesk, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var people atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	if next() < 300 {
		warmUp(b, client, a.server.URL, entries)
	}
	b.SetParallelism((atADesk + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		name := fmt.Sprint("person", people.Add(1)%atADesk)
		var own []time.Duration
		for pb.Next() {
			time.Sleep(rand.N(2*pause + 1))
			start := time.Now()
			if err := readAs(b.Context(), client, name, a.server.URL+pageOf(next(), entries)); err != nil {
				b.Error(err)
				return
			}
			own = append(own, time.Since(start))
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, own...)
	})
	slices.Sort(took)
	for name, part := range map[string]float64{"median-ms": 0.5, "p99-ms": 0.99} {
		b.ReportMetric(float64(took[int(part*float64(len(took)-1))].Microseconds())/1000, name)
	}
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "pages/s")
}

// warmUp reads each of the pages that all look at, once for each role, as often as it takes.
func warmUp(b *testing.B, client *http.Client, url string, entries int) {
	b.Helper()
	for n := range int64(300) {
		for person := range 4 {
			require.EventuallyWithT(b, func(c *assert.CollectT) {
				require.NoError(c, readAs(b.Context(), client, fmt.Sprint("person", person), url+pageOf(n, entries)))
			}, 5*time.Minute, time.Millisecond)
		}
	}
	b.ResetTimer()
}

// readAs reads a page as a person.
func readAs(ctx context.Context, client *http.Client, name, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("X-Remote-User", name)
	r.Header.Set("Accept-Language", "it-IT,it;q=0.9,en;q=0.8")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}
