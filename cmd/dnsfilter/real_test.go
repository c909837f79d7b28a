package main_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// realData has real lists and query streams with labels; they are no part of the project.
const realData = "../../../shared/data"

// unguarded are settings for a list that has protected names.
const unguarded = "guard: {built_in: off}\n"

// TestReal carries a real list of a million names from an agency's ledger, under the signatures of two of three
// officers, over an origin to a running resolver, all of them the real programs, and then asks the resolver two real
// streams of queries: every listed name is blocked, no other is, and no query is lost.
func TestReal(t *testing.T) {
	t.Parallel()
	w := realWorkshop(t)
	w.unpack("blocklist-real-1m.txt.gz", "1m.txt")
	origin := w.publish("it.example/real", "1m.txt")
	w.write("dnsfilter.yaml", `
listen: [udp://`+w.resolver+`, tcp://`+w.resolver+`]
upstream: [`+w.upstream()+`]
local: []
state: state
guard: {built_in: off}
lists:
  - {name: it.example/real, root: DIR/root.json, from: ["`+origin+`"], action: nxdomain}
`)
	w.start("dnsfilter", "serve", "-c", "dnsfilter.yaml")
	first := w.firstLine("1m.txt")
	require.Eventually(t, func() bool { return w.blocked(first) }, 60*time.Second, 20*time.Millisecond)
	for _, stream := range []string{"queries-mixed", "dnsoarc-100k"} {
		w.ask(stream+".txt.gz", stream+".labels.gz")
	}
}

// TestRealPopular asks for 100,000 popular names, none of which is on a list of 2.87 million.
func TestRealPopular(t *testing.T) {
	t.Parallel()
	w := realWorkshop(t)
	w.unpack("blocklist-real-all.txt.gz", "all.txt")
	w.write("guard.yaml", unguarded)
	w.start("dnsfilter", "serve", "-c", "guard.yaml", "--listen", w.resolver, "--upstream", w.upstream(), "--list", "all.txt")
	first := w.firstLine("all.txt")
	require.Eventually(t, func() bool { return w.blocked(first) }, 60*time.Second, 20*time.Millisecond)
	w.ask("popular-100k.txt.gz", "")
}

func realWorkshop(t *testing.T) *workshop {
	t.Helper()
	if _, err := os.Stat(realData); err != nil {
		t.Skip("the real lists are not here: ", err)
	}
	return newWorkshop(t)
}

// open reads a compressed file of the real data.
func (w *workshop) open(name string) io.Reader {
	w.t.Helper()
	f, err := os.Open(filepath.Join(realData, name))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	require.NoError(w.t, err)
	return z
}

func (w *workshop) unpack(name, to string) {
	w.t.Helper()
	f, err := os.Create(filepath.Join(w.dir, to))
	require.NoError(w.t, err)
	_, err = io.Copy(f, w.open(name))
	require.NoError(w.t, err)
	require.NoError(w.t, f.Close())
}

func (w *workshop) firstLine(name string) string {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.dir, name))
	require.NoError(w.t, err)
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	require.NoError(w.t, err)
	return strings.TrimSpace(line)
}

// question is one line of a stream and its label: B for listed, S for below something listed, - for neither.
type question struct{ line, label string }

// ask sends a stream of queries, 64 at a time, and compares each answer with its label; without labels nothing is
// listed.
func (w *workshop) ask(stream, labels string) {
	w.t.Helper()
	questions := make(chan question, 1024)
	go w.feed(stream, labels, questions)
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts, wrong := map[string]int{}, []string{}
	start := time.Now()
	for range 64 {
		wg.Go(func() {
			for q := range questions {
				got := w.answer(q.line)
				want := "passed"
				if q.label != "-" {
					want = "blocked"
				}
				mu.Lock()
				counts[q.label]++
				if got != want && len(wrong) < 20 {
					wrong = append(wrong, fmt.Sprintf("%s (%s): %s", q.line, q.label, got))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	w.t.Logf("%s: %v in %s", stream, counts, time.Since(start).Round(time.Millisecond))
	assert.Empty(w.t, wrong)
	assert.Positive(w.t, counts["-"])
}

func (w *workshop) feed(stream, labels string, to chan<- question) {
	defer close(to)
	lines := bufio.NewScanner(w.open(stream))
	var label *bufio.Scanner
	if labels != "" {
		label = bufio.NewScanner(w.open(labels))
	}
	for lines.Scan() {
		q := question{line: lines.Text(), label: "-"}
		if label != nil {
			if !assert.True(w.t, label.Scan(), "labels end early") {
				return
			}
			q.label = label.Text()
		}
		to <- q
	}
	assert.NoError(w.t, lines.Err())
}

// answer asks one question once.
func (w *workshop) answer(line string) string {
	name, qtype, _ := strings.Cut(line, " ")
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	if t, ok := dns.StringToType[qtype]; ok {
		m.Question[0].Qtype = t
	}
	client := dns.Client{Timeout: 10 * time.Second}
	reply, _, err := client.Exchange(m, w.resolver)
	switch {
	case err != nil:
		return err.Error()
	case reply.Rcode == dns.RcodeNameError:
		return "blocked"
	case reply.Rcode == dns.RcodeSuccess:
		return "passed"
	}
	return dns.RcodeToString[reply.Rcode]
}
