package querylog_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/querylog"
)

var asked = time.Date(2026, 10, 1, 23, 59, 59, 42_000_000, time.UTC)

// run runs a log until stop is called.
func run(t *testing.T, c querylog.Config) (l *querylog.Log, stop func()) {
	t.Helper()
	l = querylog.New(c)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { l.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return l, stop
}

// answer is the answer to a query, on which a list has decided unless the action is pass.
func answer(t *testing.T, name, client string, action dnsfilter.Action) dnsfilter.ClientMessage {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeAAAA)
	m.Rcode = dns.RcodeNameError
	packed, err := m.Pack()
	require.NoError(t, err)
	out := dnsfilter.ClientMessage{
		Transport: dnsfilter.HTTPS, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 4242), Asked: asked, Answered: asked.Add(time.Second),
		Packet: packed, Question: packed[12:],
	}
	if action != dnsfilter.Pass {
		out.Decided = dnsfilter.Decided{By: "it.example/csam", Entry: "example.org", Action: action}
	}
	return out
}

func readLines(t *testing.T, path string) (all []querylog.Line) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var l querylog.Line
		require.NoError(t, json.Unmarshal([]byte(line), &l), line)
		all = append(all, l)
	}
	return all
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q")
	l, stop := run(t, querylog.Config{File: path})
	question := answer(t, "a.example.org.", "192.0.2.7", dnsfilter.NXDomain)
	question.Answered = time.Time{}
	l.Client(question)
	l.Client(answer(t, "other.example.", "192.0.2.7", dnsfilter.Pass))
	l.Client(answer(t, "seen.example.", "192.0.2.7", dnsfilter.Monitor))
	l.Client(answer(t, "A.Example.org.", "192.0.2.7", dnsfilter.NXDomain))
	dropped := answer(t, "b.example.org.", "192.0.2.7", dnsfilter.Drop)
	dropped.Packet = nil
	l.Client(dropped)
	stop()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	want := `{"time":"2026-10-01T23:59:59.042Z","transport":"https","name":"a.example.org","type":"AAAA","rcode":"NXDOMAIN","list":"it.example/csam","entry":"example.org","action":"nxdomain"}
{"time":"2026-10-01T23:59:59.042Z","transport":"https","name":"b.example.org","type":"AAAA","list":"it.example/csam","entry":"example.org","action":"drop"}
`
	assert.Equal(t, want, string(text))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	assert.Equal(t, querylog.Stats{Written: 2}, l.Stats())
}

func TestSample(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sample, least, most int }{{1, 1000, 1000}, {10, 40, 200}} {
		l, stop := run(t, querylog.Config{File: filepath.Join(t.TempDir(), "q"), Sample: c.sample})
		for range 1000 {
			l.Client(answer(t, "other.example.", "192.0.2.7", dnsfilter.Pass))
		}
		stop()
		assert.GreaterOrEqual(t, l.Stats().Written, uint64(c.least))
		assert.LessOrEqual(t, l.Stats().Written, uint64(c.most))
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	clients := func(a querylog.Addresses) (all []string) {
		path := filepath.Join(t.TempDir(), "q")
		l, stop := run(t, querylog.Config{File: path, Addresses: a})
		for _, client := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1:2::7"} {
			l.Client(answer(t, "a.example.org.", client, dnsfilter.NXDomain))
		}
		tomorrow := answer(t, "a.example.org.", "192.0.2.7", dnsfilter.NXDomain)
		tomorrow.Asked = asked.Add(time.Second)
		l.Client(tomorrow)
		stop()
		for _, line := range readLines(t, path) {
			all = append(all, line.Client)
		}
		return all
	}
	assert.Equal(t, []string{"", "", "", ""}, clients(querylog.None))
	assert.Equal(t, []string{"192.0.2.0/24", "192.0.2.0/24", "2001:db8:1::/48", "192.0.2.0/24"}, clients(querylog.Truncated))
	hashed := clients(querylog.Hashed)
	assert.Regexp(t, "^[0-9a-f]{16}$", hashed[0])
	assert.Equal(t, hashed[0], hashed[1])
	assert.NotEqual(t, hashed[0], hashed[2])
	assert.NotEqual(t, hashed[0], hashed[3], "the key of the next day")
	assert.NotEqual(t, hashed[0], clients(querylog.Hashed)[0], "the key of another start")
	for _, word := range []string{"none", "truncated", "hashed"} {
		_, err := querylog.ParseAddresses(word)
		assert.NoError(t, err)
	}
	_, err := querylog.ParseAddresses("full")
	assert.Error(t, err)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q")
	l, stop := run(t, querylog.Config{File: path})
	for n := range uint64(2) {
		l.Client(answer(t, "a.example.org.", "192.0.2.7", dnsfilter.NXDomain))
		require.Eventually(t, func() bool { return l.Stats().Written == n+1 }, 5*time.Second, time.Millisecond)
		if n == 0 {
			require.NoError(t, os.Rename(path, path+".1"))
		}
	}
	stop()
	assert.Len(t, readLines(t, path+".1"), 1)
	assert.Len(t, readLines(t, path), 1)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	l, stop := run(t, querylog.Config{File: "/dev/full"})
	l.Client(answer(t, "a.example.org.", "192.0.2.7", dnsfilter.NXDomain))
	require.Eventually(t, func() bool { return l.Stats().Dropped == 1 }, 5*time.Second, time.Millisecond)
	for range 30_000 {
		l.Client(answer(t, "a.example.org.", "192.0.2.7", dnsfilter.NXDomain))
	}
	stop()
	assert.EqualValues(t, 30_001, l.Stats().Dropped)
	assert.Zero(t, l.Stats().Written)
}
