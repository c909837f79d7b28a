package main_test

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

const unboundConf = `server:
  interface: %[1]s
  port: %[2]s
  access-control: 127.0.0.0/8 allow
  username: ""
  chroot: ""
  directory: "%[3]s"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  num-threads: 1
  include: "%[3]s/zones.conf"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: %[4]s
`

// TestUnbound asks unbound and dnsfilter, with the same million names and the same upstream, a real stream of a hundred
// thousand queries with its types, and as many of another, and compares what both say.
func TestUnbound(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("unbound")
	if err != nil {
		t.Skip("unbound is not installed")
	}
	w := realWorkshop(t)
	upstream := answering(t)
	w.unpack("blocklist-real-1m.txt.gz", "1m.txt")
	w.zones("1m.txt", "zones.conf")
	peer := freeport.Addr(t)
	host, port, _ := net.SplitHostPort(peer)
	w.write("unbound.conf", fmt.Sprintf(unboundConf, host, port, w.dir, strings.Replace(upstream, ":", "@", 1)))
	w.start(program, "-d", "-c", filepath.Join(w.dir, "unbound.conf"))
	w.write("guard.yaml", unguarded)
	w.start("dnsfilter", "serve", "-c", "guard.yaml", "--listen", w.resolver, "--upstream", upstream, "--list", "1m.txt")
	first := w.firstLine("1m.txt")
	for _, r := range []string{w.resolver, peer} {
		require.Eventually(t, func() bool { return rcode(r, first) == dns.RcodeNameError }, 90*time.Second, 50*time.Millisecond, r)
	}
	for _, stream := range []string{"dnsoarc-100k.txt.gz", "queries-mixed.txt.gz"} {
		w.compare(stream, peer, 100_000)
	}
}

// zones writes a list as unbound's local zones.
func (w *workshop) zones(list, to string) {
	w.t.Helper()
	in, err := os.Open(filepath.Join(w.dir, list))
	require.NoError(w.t, err)
	defer in.Close()
	file, err := os.Create(filepath.Join(w.dir, to))
	require.NoError(w.t, err)
	out := bufio.NewWriter(file)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fmt.Fprintf(out, "local-zone: %q always_nxdomain\n", lines.Text())
	}
	require.NoError(w.t, out.Flush())
	require.NoError(w.t, file.Close())
}

// answering starts an upstream whose answers depend on the question alone: addresses, an alias, nothing, or no such
// name.
func answering(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(answerQuestion)}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		assert.NoError(t, server.Shutdown())
		assert.NoError(t, <-done)
	})
	return conn.LocalAddr().String()
}

func answerQuestion(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg).SetReply(r)
	m.RecursionAvailable = true
	q := r.Question[0]
	n := sum(q.Name)
	if n%10 == 1 && q.Qtype != dns.TypeCNAME {
		to := fmt.Sprintf("a%d.example.org.", n)
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(q.Name, dns.TypeCNAME), Target: to})
		q.Name, n = to, 2
	}
	rr := record(q, n)
	switch {
	case n%10 == 0:
		m.Rcode = dns.RcodeNameError
	case rr != nil:
		m.Answer = append(m.Answer, rr)
	}
	if m.Rcode != dns.RcodeSuccess || rr == nil {
		m.Ns = append(m.Ns, &dns.SOA{
			Hdr: header(".", dns.TypeSOA), Ns: "ns.example.org.", Mbox: "hostmaster.example.org.", Serial: 1, Minttl: 300,
		})
	}
	_ = w.WriteMsg(m)
}

// sum is what makes the answers for names differ; aliases lead to names whose sum is 2.
func sum(name string) uint32 {
	if strings.HasSuffix(name, ".example.org.") {
		return 2
	}
	h := fnv.New32a()
	fmt.Fprint(h, strings.ToLower(name))
	return h.Sum32()
}

func header(name string, qtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
}

// record is what a name has of a type, nil if nothing.
func record(q dns.Question, n uint32) dns.RR {
	h, address := header(q.Name, q.Qtype), net.IPv4(192, 0, 2, byte(n))
	switch {
	case q.Qtype == dns.TypeA:
		return &dns.A{Hdr: h, A: address}
	case q.Qtype == dns.TypeAAAA && n%3 == 2:
		return &dns.AAAA{Hdr: h, AAAA: append(net.ParseIP("2001:db8::")[:12], address.To4()...)}
	case q.Qtype == dns.TypeTXT:
		return &dns.TXT{Hdr: h, Txt: []string{strings.ToLower(q.Name)[:min(len(q.Name), 200)]}}
	case q.Qtype == dns.TypePTR:
		return &dns.PTR{Hdr: h, Ptr: fmt.Sprintf("p%d.example.org.", n)}
	case q.Qtype == dns.TypeMX:
		return &dns.MX{Hdr: h, Preference: 10, Mx: fmt.Sprintf("m%d.example.org.", n)}
	}
	return nil
}

// compare sends a stream to both, 64 at a time. What one of them has failed to answer is asked again alone: on a busy
// machine answers may be late.
func (w *workshop) compare(stream, peer string, limit int) {
	w.t.Helper()
	questions := make(chan question, 1024)
	go func() {
		defer close(questions)
		lines := bufio.NewScanner(w.open(stream))
		for n := 0; n < limit && lines.Scan(); n++ {
			questions <- question{line: lines.Text()}
		}
	}()
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts, again, differ := map[string]int{}, []string{}, []string{}
	for range 64 {
		wg.Go(func() {
			for q := range questions {
				ours, theirs := said(w.resolver, q.line), said(peer, q.line)
				mu.Lock()
				counts[strings.Fields(ours)[0]]++
				switch {
				case ours == theirs:
				case failed(ours) || failed(theirs):
					again = append(again, q.line)
				default:
					differ = append(differ, fmt.Sprintf(unlike, q.line, ours, theirs))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(w.t, len(again), limit/100)
	for _, line := range again[:min(len(again), limit/100)] {
		if ours, theirs := said(w.resolver, line), said(peer, line); ours != theirs {
			differ = append(differ, fmt.Sprintf(unlike, line, ours, theirs))
		}
	}
	w.t.Logf("%s: %v, %d asked again, %d differ", stream, counts, len(again), len(differ))
	assert.Empty(w.t, differ[:min(len(differ), 40)])
}

// unlike tells of a question on which the two differ.
const unlike = "%s\n\tdnsfilter %s\n\tunbound   %s"

// failed reports whether there was no answer, whatever it might say.
func failed(answer string) bool {
	rcode := strings.Fields(answer)[0]
	_, known := dns.StringToRcode[rcode]
	return !known || rcode == dns.RcodeToString[dns.RcodeServerFailure]
}

// said is what a resolver answers, but for what may differ: ids, TTLs, the order and the authority section.
func said(resolver, line string) string {
	name, qtype, _ := strings.Cut(line, " ")
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
	client := dns.Client{Timeout: 10 * time.Second}
	reply, _, err := client.Exchange(m, resolver)
	if err != nil {
		return err.Error()
	}
	records := []string{}
	for _, rr := range reply.Answer {
		rr.Header().Ttl = 0
		records = append(records, strings.ToLower(rr.String()))
	}
	slices.Sort(records)
	return fmt.Sprintln(dns.RcodeToString[reply.Rcode], reply.RecursionAvailable, reply.Truncated, records)
}
