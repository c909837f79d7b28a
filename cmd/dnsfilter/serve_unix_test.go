//go:build unix

package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/fast"
	"github.com/argine-dns/argine/testdata/freeport"
)

// TestMain lets the test binary stand in for the command.
func TestMain(m *testing.M) {
	fast.Prepare()
	if os.Getenv("DNSFILTER_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func rcodeOf(addr, name string) int {
	c := dns.Client{Timeout: time.Second}
	reply, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr)
	if err != nil {
		return -1
	}
	return reply.Rcode
}

func TestServeReloadsAndEndsOnSignals(t *testing.T) {
	t.Parallel()
	path, addr := folder(t, settings), freeport.Addr(t)
	extra := filepath.Join(t.TempDir(), "extra.txt")
	require.NoError(t, os.WriteFile(extra, []byte("extra.test\n"), 0o600))
	cmd := exec.Command(os.Args[0], "serve", "-c", path, "--listen", "udp://"+addr, "--upstream", "127.0.0.1:9", "--list", extra, "--log", "json")
	cmd.Env = append(os.Environ(), "DNSFILTER_TEST_RUN=1")
	var log bytes.Buffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	becomes := func(name string, rcode int) {
		t.Helper()
		require.Eventually(t, func() bool { return rcodeOf(addr, name) == rcode }, time.Minute, 20*time.Millisecond)
	}
	becomes("example.com.", dns.RcodeNameError)
	becomes("extra.test.", dns.RcodeNameError)
	require.NoError(t, os.WriteFile(path, []byte("state: state\nlists:\n  - {name: local, file: list.txt, action: refused}\n"), 0o600))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	becomes("example.com.", dns.RcodeRefused)
	becomes("extra.test.", dns.RcodeNameError)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Contains(t, log.String(), `"msg":"settings reloaded"`)
	assert.Contains(t, log.String(), `"lists":{"extra":{"nxdomain":`)
	assert.NotContains(t, log.String(), "example.com")
}

// TestRestartWaitsForNothing ends a server that waits for an upstream which never answers: another one has its folder
// and its address within the grace.
func TestRestartWaitsForNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	path, addr := folder(t, settings), freeport.Addr(t)
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "serve", "-c", path, "--listen", "udp://"+addr, "--upstream", silent.LocalAddr().String())
		cmd.Env = append(os.Environ(), "DNSFILTER_TEST_RUN=1")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		require.Eventually(t, func() bool { return rcodeOf(addr, "example.com.") == dns.RcodeNameError }, time.Minute, 10*time.Millisecond)
		return cmd
	}
	first := start()
	conn, err := net.Dial("udp", addr)
	require.NoError(t, err)
	defer conn.Close()
	packet, err := new(dns.Msg).SetQuestion("never.example.org.", dns.TypeA).Pack()
	require.NoError(t, err)
	_, err = conn.Write(packet)
	require.NoError(t, err)
	time.Sleep(50 * time.Millisecond)
	begun := time.Now()
	require.NoError(t, first.Process.Signal(syscall.SIGTERM))
	require.NoError(t, first.Wait())
	assert.Less(t, time.Since(begun), 2*time.Second)
	second := start()

	_, err = conn.Write(packet)
	require.NoError(t, err)
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	assert.Error(t, second.Wait(), "a second signal does not wait")
	third := start()
	require.NoError(t, third.Process.Kill())
	_ = third.Wait()
	start()
}

// TestTakeOverLosesNothing has a successor take the place of a server that is asked all the time, over UDP and over
// TCP.
func TestTakeOverLosesNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the loopback has one address alone, whose ports clients take as well")
	}
	path, addr := folder(t, settings), freeport.At(t, "127.77.0.9")
	start := func(args ...string) *exec.Cmd {
		args = append([]string{"serve", "-c", path, "--listen", addr, "--upstream", silent.LocalAddr().String()}, args...)
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "DNSFILTER_TEST_RUN=1")
		require.NoError(t, cmd.Start())
		time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	first := start("--take-over") // there is none yet
	require.Eventually(t, func() bool { return rcodeOf(addr, "example.com.") == dns.RcodeNameError }, time.Minute, 10*time.Millisecond)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var asked, lost atomic.Int64
	for _, network := range []string{"udp", "tcp"} {
		clients.Go(func() {
			c := dns.Client{Net: network, Timeout: time.Minute}
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if reply, _, err := c.Exchange(new(dns.Msg).SetQuestion("example.com.", dns.TypeA), addr); err != nil || reply.Rcode != dns.RcodeNameError {
					lost.Add(1)
				}
			}
		})
	}
	rcodeOf(addr, "waits.example.org.") // for the upstream
	failing := start("--take-over", "--listen", "udp://192.0.2.1:1")
	require.Error(t, failing.Wait(), "that address is not of this machine")
	second := start("--take-over") // at once: the first one may not have noticed yet
	require.NoError(t, first.Wait())
	asIs := asked.Load()
	require.Eventually(t, func() bool { return asked.Load() > asIs+100 }, 10*time.Second, time.Millisecond)
	close(stop)
	clients.Wait()
	assert.Zero(t, lost.Load(), "of %d queries", asked.Load())
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	require.NoError(t, second.Wait())
}

// TestTakeOverThatCannotSucceed has a successor fail without the running server being asked.
func TestTakeOverThatCannotSucceed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, path, state string){
		"settings": func(t *testing.T, path, _ string) {
			require.NoError(t, os.WriteFile(path, []byte(settings+"listen: [nonsense]\n"), 0o600))
		},
		"files": func(t *testing.T, path, _ string) {
			require.NoError(t, os.WriteFile(path, []byte(settings+"cookie_secrets: none\n"), 0o600))
		},
		"owner": func(t *testing.T, _, state string) {
			if os.Getuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			require.NoError(t, os.Chown(state, 12345, -1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := folder(t, settings)
			state := filepath.Join(filepath.Dir(path), "state")
			require.NoError(t, os.Mkdir(state, 0o700))
			running, err := net.Listen("unix", filepath.Join(state, "control.sock"))
			require.NoError(t, err)
			asked := make(chan struct{})
			go func() {
				if conn, err := running.Accept(); err == nil {
					close(asked)
					_ = conn.Close()
				}
			}()
			spoil(t, path, state)
			code, _, stderr := runCommand("serve", "-c", path, "--take-over")
			require.NoError(t, running.Close())
			assert.Equal(t, exitFailed, code)
			assert.NotContains(t, stderr, "taking over")
			select {
			case <-asked:
				assert.Fail(t, "it was asked", stderr)
			default:
			}
		})
	}
}

// TestEndInTheMiddleOfATakeOver asks a server to end while its successor makes ready: it answers until that has its
// sockets.
func TestEndInTheMiddleOfATakeOver(t *testing.T) {
	t.Parallel()
	path, addr := folder(t, settings), freeport.Addr(t)
	cmd := exec.Command(os.Args[0], "serve", "-c", path, "--listen", "udp://"+addr, "--upstream", "127.0.0.1:9")
	cmd.Env = append(os.Environ(), "DNSFILTER_TEST_RUN=1")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool { return rcodeOf(addr, "example.com.") == dns.RcodeNameError }, time.Minute, 10*time.Millisecond)
	successor, err := service.TakeOver(t.Context(), filepath.Join(filepath.Dir(path), "state"))
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	for range 10 {
		time.Sleep(100 * time.Millisecond)
		assert.Equal(t, dns.RcodeNameError, rcodeOf(addr, "example.com."))
	}
	sockets, err := successor.Sockets()
	require.NoError(t, err)
	assert.NotEmpty(t, sockets.Files)
	require.NoError(t, sockets.Taken())
	require.NoError(t, cmd.Wait())
	for _, f := range sockets.Files {
		require.NoError(t, f.Close())
	}
}
