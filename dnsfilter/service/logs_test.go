package service_test

import (
	"bytes"
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

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
)

// A real collector takes what the server sends over a socket, and a real reader reads it.
func TestDnstapReaders(t *testing.T) {
	t.Parallel()
	for tool, pkg := range map[string]string{"fstrm_capture": "fstrm-bin", "dnstap-read": "bind9-dnsutils"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed (Debian: " + pkg + ")")
		}
	}
	r := newFolder(t, "")
	socket, captured := filepath.Join(r.dir, "tap"), filepath.Join(r.dir, "a.fstrm")
	r.settings(t, "dnstap: unix://"+socket+"\nserver_id: {nsid: ns1, version: on}\nlists: [{name: l, file: local.txt}]\n")
	r.write(t, "local.txt", "listed.test\n")
	collector := exec.CommandContext(t.Context(), "fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", socket, "-w", captured)
	require.NoError(t, collector.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, 5*time.Second, time.Millisecond)
	r.start(t)
	for _, name := range []string{"a.listed.test.", "free.test."} {
		for _, network := range []string{"udp", "tcp"} {
			dnstest.Exchange(t, network, r.addr, dnstest.Question(name, dns.TypeA))
		}
	}
	require.NoError(t, r.stop())
	require.NoError(t, collector.Process.Signal(syscall.SIGTERM))
	require.NoError(t, collector.Wait())
	out, err := exec.CommandContext(t.Context(), "dnstap-read", "-y", captured).Output()
	require.NoError(t, err)
	text := string(out)
	for kind, n := range map[string]int{"CLIENT_QUERY": 4, "CLIENT_RESPONSE": 4, "FORWARDER_QUERY": 1, "FORWARDER_RESPONSE": 1} {
		assert.Equal(t, n, strings.Count(text, "type: "+kind+"\n"), "%s\n%s", kind, text)
	}
	assert.Contains(t, text, "identity: ns1")
	assert.Contains(t, text, "version: dnsfilter ")
	assert.Contains(t, text, "NXDOMAIN")
	frames, err := os.ReadFile(captured)
	require.NoError(t, err)
	assert.Equal(t, 2, bytes.Count(frames, []byte("l listed.test")), "the rule of each blocked answer")
}

func TestQueryLog(t *testing.T) {
	t.Parallel()
	at := freeport.Addr(t)
	r := newFolder(t, "metrics: "+at+"\nquery_log: {file: q.log}\nlists: [{name: l, file: local.txt}]\n")
	r.write(t, "local.txt", "listed.test\n")
	r.start(t)
	dnstest.Exchange(t, "udp", r.addr, dnstest.Question("free.test.", dns.TypeA))
	dnstest.Exchange(t, "udp", r.addr, dnstest.Question("a.Listed.test.", dns.TypeA))
	require.Eventually(t, func() bool {
		_, body := get(t, "http://"+at+"/metrics")
		return strings.Contains(body, "dnsfilter_query_log_lines_total 1\n")
	}, time.Minute, 10*time.Millisecond)
	r.reload <- struct{}{}
	dnstest.Exchange(t, "udp", r.addr, dnstest.Question("b.listed.test.", dns.TypeA))
	require.NoError(t, r.stop())
	text, err := os.ReadFile(filepath.Join(r.dir, "q.log"))
	require.NoError(t, err)
	assert.Regexp(t, `^\{"time":"[^"]+","transport":"udp","name":"a\.listed\.test","type":"A","rcode":"NXDOMAIN","list":"l","entry":"listed\.test","action":"nxdomain"\}
\{"time":"[^"]+","transport":"udp","name":"b\.listed\.test",.*\}
$`, string(text))
}
