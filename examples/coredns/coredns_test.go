//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
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

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/testdata/freeport"
)

// TestMain lets the test's own program be CoreDNS.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_COREDNS") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const zone = `
$ORIGIN .
@               300 SOA ns. host. 1 3600 600 86400 60
@               300 NS  ns.
ns              300 A   192.0.2.53
www.example.org 300 A   192.0.2.1
listed.example  300 A   192.0.2.2
own.example     300 A   192.0.2.3
alias.example.org   300 CNAME www.listed.example.
two.example.org     300 CNAME alias.example.org.
fine.example.org    300 CNAME www.example.org.
web.example.org     300 HTTPS 1 . alpn=h2 ipv4hint=192.0.2.66
address.example.org 300 A     192.0.2.66
`

func corefile(addr, origin, file string) string {
	_, port, _ := net.SplitHostPort(addr)
	return fmt.Sprintf(`.:%s {
	bind 127.0.0.1
	errors
	cache 30
	argine state {
		list %s root.json %s
		file local %s
		reason censored
	}
	file zone
}
`, port, blocktest.List, origin, file)
}

// start runs CoreDNS until the test ends.
func start(t *testing.T, dir string) (*exec.Cmd, func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0], "-conf", "Corefile")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "RUN_COREDNS=1")
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cancel(); cmd.Wait() })
	return cmd, out.String
}

type output struct {
	sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) { o.Lock(); defer o.Unlock(); return o.Buffer.Write(p) }

func (o *output) String() string { o.Lock(); defer o.Unlock(); return o.Buffer.String() }

func ask(addr, name string) string { return askFor(addr, name, dns.TypeA) }

func askFor(addr, name string, qtype uint16) string {
	m := new(dns.Msg).SetQuestion(name, qtype).SetEdns0(1232, true)
	c := dns.Client{Timeout: 2 * time.Second}
	reply, _, err := c.Exchange(m, addr)
	if err != nil {
		return err.Error()
	}
	text := dns.RcodeToString[reply.Rcode]
	for _, rr := range reply.Answer {
		text += " " + strings.Fields(rr.String())[4]
	}
	if opt := reply.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			text += fmt.Sprint(" EDE ", o.(*dns.EDNS0_EDE).InfoCode)
		}
	}
	return text
}

// oddities are ways to ask for which the plugins behind have an answer.
func oddities() map[string]func(*dns.Msg) {
	return map[string]func(*dns.Msg){
		"a cookie of a wrong length": func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011"}}
		},
		"two OPT records":         func(m *dns.Msg) { m.Extra = append(m.Extra, dns.Copy(m.Extra[0])) },
		"another version of EDNS": func(m *dns.Msg) { m.IsEdns0().SetVersion(1) },
		"class ANY":               func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassANY },
		"class CH":                func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
	}
}

// answers returns what an odd query is answered with.
func answers(addr, name string, change func(*dns.Msg)) []dns.RR {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, true)
	change(m)
	c := dns.Client{Timeout: 2 * time.Second}
	reply, _, err := c.Exchange(m, addr)
	if err != nil {
		return nil
	}
	return reply.Answer
}

func TestCoreDNS(t *testing.T) {
	if testing.Short() {
		t.Skip("CoreDNS runs as a process of its own")
	}
	dir, addr := t.TempDir(), freeport.Addr(t)
	origin := blocktest.NewOrigin(t, "listed.example")
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	becomes := func(out func() string, name, want string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for ask(addr, name) != want && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
		}
		require.Equal(t, want, ask(addr, name), out())
	}
	write("Corefile", corefile(addr, origin.URL, "local.txt"))
	write("root.json", string(origin.Root))
	write("local.txt", "own.example\n192.0.2.66\n")
	write("zone", zone)
	cmd, out := start(t, dir)

	becomes(out, "a.listed.example.", "NXDOMAIN EDE 16")
	assert.Equal(t, "NXDOMAIN EDE 16", ask(addr, "OWN.example."))
	assert.Equal(t, "NOERROR 192.0.2.1", ask(addr, "www.example.org."))
	assert.Equal(t, "NOERROR 192.0.2.1", ask(addr, "www.example.org."), "from the cache")

	// what an answer leads to is decided on as well, each time it is given
	for range 2 {
		assert.Equal(t, "NXDOMAIN www.listed.example. EDE 16", ask(addr, "alias.example.org."))
		assert.Equal(t, "NXDOMAIN alias.example.org. www.listed.example. EDE 16", ask(addr, "two.example.org."))
		assert.Equal(t, "NOERROR www.listed.example.", askFor(addr, "alias.example.org.", dns.TypeCNAME), "as for other types")
		assert.Equal(t, "NOERROR www.example.org. 192.0.2.1", ask(addr, "fine.example.org."))
		assert.Equal(t, "NOERROR EDE 16", ask(addr, "address.example.org."))
		assert.Equal(t, "NOERROR EDE 16", askFor(addr, "web.example.org.", dns.TypeHTTPS))
	}

	for label, change := range oddities() {
		assert.Empty(t, answers(addr, "listed.example.", change), label)
		assert.Empty(t, answers(addr, "www.example.org.", change), label)
	}

	write("local.txt", "www.example.org\n")
	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR1)) // reloads the Corefile
	becomes(out, "www.example.org.", "NXDOMAIN EDE 16")
	becomes(out, "own.example.", "NOERROR 192.0.2.3")
	assert.Equal(t, "NXDOMAIN www.example.org. EDE 16", ask(addr, "fine.example.org."), "what the cache has leads there now")
	assert.Equal(t, "NOERROR 192.0.2.66", ask(addr, "address.example.org."))
	assert.Equal(t, "NXDOMAIN EDE 16", ask(addr, "listed.example."), out())

	// what was held is in force after a restart without an origin
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
	write("Corefile", corefile(addr, "http://127.0.0.1:1", "local.txt"))
	_, out = start(t, dir)
	becomes(out, "listed.example.", "NXDOMAIN EDE 16")
}

func TestWrongCorefile(t *testing.T) {
	if testing.Short() {
		t.Skip("CoreDNS runs as a process of its own")
	}
	dir := t.TempDir()
	for text, want := range map[string]string{
		"argine":                              "the folder for the lists is missing",
		"argine state":                        "neither list nor file",
		"argine state {\naction sinkhole\n}":  "can't be read",
		"argine state {\nfile a none.txt\n}":  "none.txt",
		"argine state {\nlist a root.json\n}": "list NAME ROOT URL",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Corefile"), []byte(".:0 {\n"+text+"\n}\n"), 0o600))
		cmd := exec.Command(os.Args[0], "-conf", "Corefile")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "RUN_COREDNS=1")
		out, err := cmd.CombinedOutput()
		require.Error(t, err, text)
		assert.Contains(t, string(out), want)
	}
}
