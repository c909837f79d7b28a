package main_test

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// workshop is a folder, and the programs started there.
type workshop struct {
	t        *testing.T
	dir      string
	programs map[string]string // paths of ours
	resolver string            // its address
	origin   *server           // once something is published
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	longtest.Only(t, "it takes a minute or two")
	return &workshop{
		t: t, dir: t.TempDir(), resolver: freeport.Addr(t),
		programs: map[string]string{"blocklist": peers.Build(t, "blocklist"), "dnsfilter": peers.Build(t, "dnsfilter")},
	}
}

// publish brings a list from a new agency to an origin, and returns the origin's URL.
func (w *workshop) publish(list, file string) string {
	w.t.Helper()
	w.agency(list)
	w.run("-C", "DIR", "guard", "--built-in", "off", "--reason", "a list as it is")
	w.run("-C", "DIR", "import", file, "--reason", "test", "--override", "the list as it is")
	return w.serveOrigin()
}

// agency makes an agency with three officers, and an origin that takes its pushes.
func (w *workshop) agency(list string, flags ...string) {
	w.t.Helper()
	for _, name := range []string{"anna", "bruno", "carla"} {
		w.run("keygen", "-o", name+".key", "--no-passphrase")
	}
	w.run("origin", "init", "ORIGIN")
	w.run(append([]string{
		"init", "DIR", "--list", list, "--origin-key", "ORIGIN/online.pub",
		"--officer", "anna.pub", "--officer", "bruno.pub", "--officer", "carla.pub", "--threshold", "2",
	}, flags...)...)
	w.run("-C", "DIR", "sign", "--key", "anna.key", "--yes")
	w.run("-C", "DIR", "sign", "--key", "carla.key", "--yes")
	w.run("origin", "trust", "ORIGIN", "DIR/root.json")
}

// serveOrigin makes the first release, starts the origin, pushes to it and returns its URL.
func (w *workshop) serveOrigin() string {
	w.t.Helper()
	w.run("-C", "DIR", "release")
	w.run("-C", "DIR", "sign", "--key", "bruno.key", "--yes")
	w.run("-C", "DIR", "sign", "--key", "carla.key", "--yes")
	addr := freeport.Addr(w.t)
	w.origin = w.start("blocklist", "origin", "serve", "ORIGIN", "--listen", addr)
	peers.AwaitTCP(w.t, addr)
	w.run("-C", "DIR", "push", "http://"+addr)
	return "http://" + addr
}

func (w *workshop) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cmp.Or(w.programs[program], program), args...)
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

// server is a program that runs until the end of the test, which stops it.
type server struct {
	w       *workshop
	program string
	args    []string
	log     bytes.Buffer
	cmd     *exec.Cmd
}

// start starts a server of ours, or of another's by its path.
func (w *workshop) start(program string, args ...string) *server {
	w.t.Helper()
	s := &server{w: w, program: program, args: args}
	s.begin()
	w.t.Cleanup(func() {
		assert.NoError(w.t, s.cmd.Process.Signal(syscall.SIGTERM))
		assert.NoError(w.t, s.cmd.Wait())
		w.t.Logf("%s:\n%s", program, s.log.String())
	})
	return s
}

func (s *server) begin() {
	s.w.t.Helper()
	s.cmd = s.w.command(context.WithoutCancel(s.w.t.Context()), s.program, s.args...)
	s.cmd.Stderr = &s.log
	require.NoError(s.w.t, s.cmd.Start())
}

// kill ends the server at once, and starts it again.
func (s *server) kill() {
	s.w.t.Helper()
	require.NoError(s.w.t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	s.begin()
}

func (w *workshop) write(name, text string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
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

func (w *workshop) blocked(name string) bool { return rcode(w.resolver, name) == dns.RcodeNameError }

// rcode asks a resolver for a name; -1 if there is no answer.
func rcode(resolver, name string) int {
	reply, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), resolver)
	if err != nil {
		return -1
	}
	return reply.Rcode
}
