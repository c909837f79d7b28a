//go:build unix

package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary stand in for the command.
func TestMain(m *testing.M) {
	if os.Getenv("DNSFILTER_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// freePort returns a loopback address that is free over UDP.
func freePort(t *testing.T) string {
	t.Helper()
	s := &dns.Server{Addr: "127.0.0.1:0", Net: "udp"}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() { _ = s.ListenAndServe() }()
	<-started
	addr := s.PacketConn.LocalAddr().String()
	require.NoError(t, s.Shutdown())
	return addr
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
	path, addr := folder(t, settings), freePort(t)
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
		require.Eventually(t, func() bool { return rcodeOf(addr, name) == rcode }, 10*time.Second, 20*time.Millisecond)
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

// TestRestartWaitsForNothing ends a server that waits for an upstream which never answers: another one has its folder and its
// address within the grace.
func TestRestartWaitsForNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	path, addr := folder(t, settings), freePort(t)
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "serve", "-c", path, "--listen", "udp://"+addr, "--upstream", silent.LocalAddr().String())
		cmd.Env = append(os.Environ(), "DNSFILTER_TEST_RUN=1")
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		require.Eventually(t, func() bool { return rcodeOf(addr, "example.com.") == dns.RcodeNameError }, 10*time.Second, 10*time.Millisecond)
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
