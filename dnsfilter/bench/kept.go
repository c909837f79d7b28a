//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// keptConns is the number of connections that stay open while queries are sent.
const (
	keptConns   = 8
	outstanding = 96 // number of queries that wait for an answer at the same time, on all connections together
)

// keptPeers returns the programs that have encrypted transports, with the number of their transports. The versions of
// dnsdist and unbound in Debian 12 have neither HTTP/3 nor DNS over QUIC.
func keptPeers() map[string]int { return map[string]int{"dnsfilter": 4, "dnsdist": 2, "unbound": 2} }

// kept measures each program over its encrypted transports, on connections that stay open, and prints the table.
func (b *bench) kept(ctx context.Context, names []string, yardstick *process) error {
	if err := b.writeURLs(); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nCached names over %d connections that stay open, %d queries at once; of %d runs the median\n\n", keptConns, outstanding, b.runs)
	fmt.Fprint(b.out, "| | | CPU of a query | in µs | lost | queries a second | median | 99 % |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range names {
		if err := b.keptPeer(ctx, name, yardstick); err != nil {
			fmt.Fprintf(b.out, "| %s | %v |\n", name, err)
		}
	}
	return ctx.Err()
}

func (b *bench) keptPeer(ctx context.Context, name string, yardstick *process) error {
	if keptPeers()[name] == 0 {
		return errors.New("nothing is encrypted")
	}
	p, err := b.startPeer(ctx, name, "0")
	if err != nil {
		return err
	}
	defer p.stop()
	file := b.path("w1")
	for _, by := range encrypted()[:keptPeers()[name]] {
		if _, err := b.load(ctx, p, by, file, b.secs); err != nil { // to warm it up
			return fmt.Errorf("%s: %w", by.name, err)
		}
		got, err := b.median(ctx, by, func(int) string { return file }, p, yardstick)
		if err != nil {
			return fmt.Errorf("%s: %w", by.name, err)
		}
		latency := " | " // other programs do not report it
		if got.late > 0 {
			latency = fmt.Sprintf("%.1f ms | %.1f ms", got.median, got.late)
		}
		fmt.Fprintf(b.out, "| %s | %s | %.2f | %.1f | %.0f | %.0f | %s |\n", name, by.name, got.ratio, got.cost, got.lost, got.rate, latency)
	}
	return nil
}

// writeURLs writes the queries of workload W1 (see README.md) as URLs of DNS over HTTPS.
func (b *bench) writeURLs() error {
	queries, err := readQueries(b.path("w1"))
	if err != nil {
		return err
	}
	n := 0
	return b.write("w1.urls", cached, func() string {
		n++
		return fmt.Sprintf("https://%s/dns-query?dns=%s", net.JoinHostPort(host, strconv.Itoa(httpsPort)), base64.RawURLEncoding.EncodeToString(queries[n]))
	})
}

// send sends the queries of a file over the protocol with this name for some seconds. It prints the number of answers,
// and how long they took.
func (b *bench) send(ctx context.Context, name, file string) error {
	queries, err := readQueries(file)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(encrypted(), func(by protocol) bool { return by.name == name })
	if at < 0 {
		return fmt.Errorf("there is no protocol %q", name)
	}
	by := encrypted()[at]
	var exchanges []exchange
	for range keptConns {
		from, err := socket(net.ParseIP(host))
		if err != nil {
			return err
		}
		ask, err := by.dial(ctx, from, by.port)
		if err != nil {
			return err
		}
		exchanges = append(exchanges, ask)
	}
	took, lost := b.sendAll(ctx, exchanges, queries)
	if len(took) == 0 {
		return errors.New("no query was answered")
	}
	ms := func(percent int) float64 { return float64(took[len(took)*percent/100].Microseconds()) / 1000 }
	fmt.Fprintf(b.out, "Queries completed: %d\nQueries lost: %d\nMedian (ms): %.3f\n99 %% (ms): %.3f\n",
		len(took), lost, ms(50), ms(99))
	return nil
}

// sendAll sends queries for some seconds, with a constant number of them unanswered. It returns how long each answer
// took, sorted, and the number of failed queries.
func (b *bench) sendAll(ctx context.Context, by []exchange, queries [][]byte) (took []time.Duration, lost int64) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var next, failed atomic.Int64
	end := time.Now().Add(time.Duration(b.secs * float64(time.Second)))
	for i := range outstanding {
		all.Go(func() {
			var own []time.Duration
			for buf, begin := make([]byte, 4096), time.Now(); begin.Before(end); begin = time.Now() {
				if by[i%len(by)](ctx, queries[int(next.Add(1))%len(queries)], buf) != nil {
					failed.Add(1)
					continue
				}
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took, failed.Load()
}

// readQueries reads a query file of dnsperf, with one name per line, and packs an A query for each name.
func readQueries(file string) (queries [][]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read
	s := bufio.NewScanner(f)
	for s.Scan() {
		name, _, _ := strings.Cut(s.Text(), " ")
		queries = append(queries, packQuery(name))
	}
	return queries, s.Err()
}
