package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

const killedNginx = `daemon off; master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	server { listen %s; root %s; }
}
`

// TestKilled runs an agency, an origin, a mirror (the real nginx) and two resolvers as processes of their own, and ends
// each of them with kill -9 in the middle of its work, round after round. What was listed is blocked throughout, what
// never was is never blocked, in the end both resolvers enforce the newest release, and the one that has a key for it
// has said so.
func TestKilled(t *testing.T) {
	t.Parallel()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	for name, flags := range map[string][]string{"plain": nil, "confidential": {"--confidential"}} {
		t.Run(name, func(t *testing.T) { testKilled(newKilled(t, nginx, flags)) })
	}
}

func testKilled(k *killed) {
	t := k.t
	watching, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, r := range k.resolvers {
		wg.Go(func() { k.watch(watching, r) })
	}
	const rounds = 10
	for round := range rounds {
		k.round(round)
	}
	last := fmt.Sprintf("n%d.example.net", rounds-1)
	for _, r := range k.resolvers {
		assert.Eventually(t, func() bool { return rcode(r, last) == dns.RcodeNameError }, 90*time.Second, 50*time.Millisecond, "%s", r)
		assert.Equal(t, dns.RcodeSuccess, rcode(r, fmt.Sprintf("n%d.example.net", rounds-2)), r)
	}
	receipts := []string{"receipts", "ORIGIN", "--list", "it.example/test", "--root", "DIR/root.json"}
	assert.Eventually(t, func() bool { return k.command(t.Context(), "blocklist", receipts...).Run() == nil }, 30*time.Second, time.Second)
	k.run(receipts...)
	stop()
	wg.Wait()
	k.run("-C", "DIR", "verify")
	k.run(append([]string{"pull", "--root", "DIR/root.json", k.from, "-o", "pulled"}, k.identity...)...)
}

type killed struct {
	*workshop
	rnd       *rand.Rand
	from      string // URL of the origin
	resolvers []string
	servers   []*server
	identity  []string // flags of pull for a confidential list
}

func newKilled(t *testing.T, nginx string, flags []string) *killed {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	k := &killed{workshop: newWorkshop(t), rnd: rand.New(rand.NewPCG(seed, 0))}
	k.write("list.txt", k.names())
	k.agency("it.example/test", flags...)
	setting := ""
	if len(flags) > 0 {
		k.run("keygen", "--subscriber", "-o", "isp.age")
		k.run("-C", "DIR", "subscriber", "add", "isp.example", "isp.pub", "--reason", "test")
		k.identity, setting = []string{"--identity", "isp.age"}, ", identity: isp.age"
	}
	k.run("keygen", "-o", "receipts.key", "--no-passphrase")
	k.run("origin", "subscriber", "add", "ORIGIN", "--list", "it.example/test", "receipts.pub")
	k.run("-C", "DIR", "import", "list.txt", "--reason", "test")
	k.from = k.serveOrigin()
	k.copy()
	mirror := freeport.Addr(t)
	k.write("nginx.conf", fmt.Sprintf(killedNginx, mirror, filepath.Join(k.dir, "MIRROR")))
	for i, from := range []string{fmt.Sprintf("[%q], receipts: receipts.key", k.from), fmt.Sprintf("[%q]", "http://"+mirror)} {
		k.resolver = freeport.Addr(t)
		k.resolvers = append(k.resolvers, k.resolver)
		k.write(fmt.Sprintf("r%d.yaml", i), fmt.Sprintf(`
listen: [udp://%[1]s, tcp://%[1]s]
upstream: [%[2]s]
state: state%[3]d
lists:
  - {name: it.example/test, root: DIR/root.json, from: %[4]s, action: nxdomain%[5]s}
`, k.resolver, k.upstream(), i, from, setting))
		k.servers = append(k.servers, k.start("dnsfilter", "serve", "-c", fmt.Sprintf("r%d.yaml", i)))
	}
	k.servers = append(k.servers, k.start(nginx, "-p", k.dir, "-c", filepath.Join(k.dir, "nginx.conf"), "-e", "stderr"), k.origin)
	for _, r := range k.resolvers {
		require.Eventually(t, func() bool { return rcode(r, "base0.example.org") == dns.RcodeNameError }, 60*time.Second, 50*time.Millisecond)
	}
	return k
}

func (k *killed) names() string {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "base%d.example.org\n", i)
	}
	return b.String()
}

// watch asks a resolver all the time, and is content with silence only.
func (k *killed) watch(ctx context.Context, resolver string) {
	for i := 0; ctx.Err() == nil; i++ {
		if got := rcode(resolver, fmt.Sprintf("www.base%d.example.org", i%5000)); got != -1 {
			assert.Equal(k.t, dns.RcodeNameError, got, "a listed name")
		}
		if got := rcode(resolver, fmt.Sprintf("base%d.example.com", i)); got != -1 {
			assert.Equal(k.t, dns.RcodeSuccess, got, "a name that was never listed")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// round changes the list and carries that to the mirror; each command is killed once, and so is one of the servers.
func (k *killed) round(i int) {
	k.t.Helper()
	commands := [][]string{{"-C", "DIR", "add", fmt.Sprintf("n%d.example.net", i), "--reason", "test"}}
	if i > 0 {
		commands = append(commands, []string{"-C", "DIR", "remove", fmt.Sprintf("n%d.example.net", i-1), "--reason", "test"})
	}
	commands = append(commands, []string{"-C", "DIR", "release"}, []string{"-C", "DIR", "sign", "--key", "anna.key", "--yes"},
		[]string{"-C", "DIR", "sign", "--key", "carla.key", "--yes"}, []string{"-C", "DIR", "push", k.from})
	for _, args := range commands {
		k.killedOnce(args)
		k.untilDone(args)
	}
	time.Sleep(time.Duration(k.rnd.IntN(300)) * time.Millisecond)
	k.copy()
	k.servers[i%len(k.servers)].kill()
}

// killedOnce ends a command somewhere in its work.
func (k *killed) killedOnce(args []string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Duration(k.rnd.IntN(60_000))*time.Microsecond)
	defer cancel()
	cmd := k.command(ctx, "blocklist", args...)
	if out, err := cmd.CombinedOutput(); err != nil && ctx.Err() == nil {
		k.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// untilDone repeats a command until it is done, or says that it was done already by the one that was killed.
func (k *killed) untilDone(args []string) {
	k.t.Helper()
	var out []byte
	var err error
	for range 50 {
		if out, err = k.command(k.t.Context(), "blocklist", args...).CombinedOutput(); err == nil || k.done(string(out)) {
			return
		}
		time.Sleep(100 * time.Millisecond) // a server may be coming up again
	}
	require.NoError(k.t, err, "%v\n%s", args, out)
}

func (k *killed) done(out string) bool {
	for _, said := range []string{"already", "nothing", "not on the list"} {
		if strings.Contains(out, said) {
			k.t.Log(strings.TrimSpace(out))
			return true
		}
	}
	return false
}

// copy brings what is new to the mirror, file by file, while it is read.
func (k *killed) copy() {
	k.t.Helper()
	from, to := filepath.Join(k.dir, "ORIGIN", "lists"), filepath.Join(k.dir, "MIRROR", "lists")
	require.NoError(k.t, os.MkdirAll(to, 0o755))
	out, err := exec.CommandContext(k.t.Context(), "cp", "-r", from+"/.", to).CombinedOutput()
	require.NoError(k.t, err, "%s", out)
	out, err = exec.CommandContext(k.t.Context(), "chmod", "-R", "a+rX", k.dir).CombinedOutput()
	require.NoError(k.t, err, "%s", out)
}
