package main_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// realData has real lists and query streams with labels; they are no part of the project.
const realData = "../../../shared/data"

// TestReal carries a real list of a million names from an agency's ledger, under the signatures of two of three officers,
// over an origin to a running resolver, all of them the real programs, and then asks the resolver two real streams of
// queries: every listed name is blocked, no other is, and no query is lost.
func TestReal(t *testing.T) {
	w := newWorkshop(t)
	w.unpack("blocklist-real-1m.txt.gz", "1m.txt")
	origin := w.publish("1m.txt")
	w.write("dnsfilter.yaml", `
listen: [udp://`+w.resolver+`, tcp://`+w.resolver+`]
upstream: [`+w.upstream()+`]
local: []
state: state
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
	w := newWorkshop(t)
	w.unpack("blocklist-real-all.txt.gz", "all.txt")
	w.start("dnsfilter", "serve", "--listen", w.resolver, "--upstream", w.upstream(), "--list", "all.txt")
	first := w.firstLine("all.txt")
	require.Eventually(t, func() bool { return w.blocked(first) }, 60*time.Second, 20*time.Millisecond)
	w.ask("popular-100k.txt.gz", "")
}

// workshop is a folder with both programs in it, and the programs started there.
type workshop struct {
	t        *testing.T
	dir      string
	resolver string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute or two")
	}
	if _, err := os.Stat(realData); err != nil {
		t.Skip("the real lists are not here: ", err)
	}
	w := &workshop{t: t, dir: t.TempDir(), resolver: freeAddr(t)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", w.dir, "github.com/argine-dns/argine/cmd/...")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return w
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// publish makes an agency with three officers, brings the list to an origin, and returns its address.
func (w *workshop) publish(list string) string {
	w.t.Helper()
	for _, name := range []string{"anna", "bruno", "carla"} {
		w.run("keygen", "-o", name+".key", "--no-passphrase")
	}
	w.run("origin", "init", "ORIGIN")
	w.run("init", "DIR", "--list", "it.example/real", "--origin-key", "ORIGIN/online.pub",
		"--officer", "anna.pub", "--officer", "bruno.pub", "--officer", "carla.pub", "--threshold", "2")
	w.run("-C", "DIR", "sign", "--key", "anna.key", "--yes")
	w.run("-C", "DIR", "sign", "--key", "carla.key", "--yes")
	w.run("origin", "trust", "ORIGIN", "DIR/root.json")
	w.run("-C", "DIR", "import", list, "--reason", "test")
	w.run("-C", "DIR", "release")
	w.run("-C", "DIR", "sign", "--key", "bruno.key", "--yes")
	w.run("-C", "DIR", "sign", "--key", "carla.key", "--yes")
	addr := freeAddr(w.t)
	w.start("blocklist", "origin", "serve", "ORIGIN", "--listen", addr)
	require.Eventually(w.t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	w.run("-C", "DIR", "push", "http://"+addr)
	return "http://" + addr
}

func (w *workshop) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(w.dir, program), args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(w.dir, "state"))
	return cmd
}

func (w *workshop) run(args ...string) {
	w.t.Helper()
	start := time.Now()
	out, err := w.command(w.t.Context(), "blocklist", args...).CombinedOutput()
	require.NoError(w.t, err, "%s\n%s", strings.Join(args, " "), out)
	w.t.Logf("%8s  blocklist %s", time.Since(start).Round(time.Millisecond), strings.Join(args, " "))
}

// start starts a server, which the end of the test stops.
func (w *workshop) start(program string, args ...string) {
	w.t.Helper()
	var log bytes.Buffer
	cmd := w.command(context.WithoutCancel(w.t.Context()), program, args...)
	cmd.Stderr = &log
	require.NoError(w.t, cmd.Start())
	w.t.Cleanup(func() {
		assert.NoError(w.t, cmd.Process.Signal(syscall.SIGTERM))
		assert.NoError(w.t, cmd.Wait())
		w.t.Logf("%s:\n%s", program, log.String())
	})
}

func (w *workshop) write(name, text string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
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

// upstream starts a resolver that knows every name, and returns its address.
func (w *workshop) upstream() string {
	w.t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, dns.MaxMsgSize)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			buf[2] |= 0x80 // QR; no records, rcode NOERROR
			conn.WriteTo(buf[:n], from)
		}
	}()
	return conn.LocalAddr().String()
}

func (w *workshop) blocked(name string) bool {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	reply, err := dns.Exchange(m, w.resolver)
	return err == nil && reply.Rcode == dns.RcodeNameError
}

// question is one line of a stream and its label: B for listed, S for below something listed, - for neither.
type question struct{ line, label string }

// ask sends a stream of queries, 64 at a time, and compares each answer with its label; without labels nothing is listed.
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
