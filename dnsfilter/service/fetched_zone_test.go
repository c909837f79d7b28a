package service_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// primary is a named with the zone feed.example, which nsupdate changes.
type primary struct {
	t         *testing.T
	dir, addr string
	stop      func()
}

// newPrimary starts a named that notifies an address.
func newPrimary(t *testing.T, notify string) *primary {
	t.Helper()
	p := &primary{t: t, dir: t.TempDir(), addr: freeport.Addr(t)}
	port := p.addr[strings.LastIndexByte(p.addr, ':')+1:]
	host, to, _ := strings.Cut(notify, ":")
	dnstest.WriteFile(t, p.dir, "feed.zone", "$TTL 60\n@ SOA localhost. mail.feed.example. 1 300 60 86400 60\n@ NS localhost.\nblocked.test CNAME .\n*.blocked.test CNAME .\n$GENERATE 1-60 n$.test CNAME .\n")
	dnstest.WriteFile(t, p.dir, "named.conf", fmt.Sprintf(`controls { };
options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;
 recursion no; dnssec-validation no; notify explicit; notify-delay 0; };
%s
zone "feed.example" { type primary; file "feed.zone"; allow-transfer { key transfer.example; }; allow-update { key transfer.example; };
 also-notify { %s port %s key transfer.example; }; ixfr-from-differences yes; };
`, p.dir, port, transferKey, host, to))
	p.start()
	return p
}

func (p *primary) start() {
	p.t.Helper()
	p.stop = peers.Start(p.t, p.dir, "named", "-g", "-n", "1", "-c", filepath.Join(p.dir, "named.conf")).Stop
	peers.Await(p.t, p.addr, "feed.example", "NOERROR")
}

// update changes the zone by lines of nsupdate.
func (p *primary) update(lines ...string) {
	p.t.Helper()
	host, port, _ := strings.Cut(p.addr, ":")
	dnstest.WriteFile(p.t, p.dir, "transfer.key", transferKey)
	cmd := exec.CommandContext(p.t.Context(), "nsupdate", "-k", filepath.Join(p.dir, "transfer.key"))
	cmd.Stdin = strings.NewReader(fmt.Sprintf("server %s %s\nzone feed.example\n%s\nsend\n", host, port, strings.Join(lines, "\n")))
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s", out)
}

// TestZoneFromNamed follows a zone of a named, by NOTIFY and IXFR with TSIG, and keeps it when named is gone.
func TestZoneFromNamed(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named", "nsupdate")
	r := newFolder(t, "")
	p := newPrimary(t, r.addr)
	r.write(t, "feed.key", transferKey)
	lists := "lists:\n  - {name: feed, rpz: feed.example, primary: " + p.addr + ", key: feed.key}\n"
	r.settings(t, lists)
	r.start(t)
	r.becomes(t, "blocked.test.", dns.RcodeNameError)
	r.becomes(t, "www.blocked.test.", dns.RcodeNameError)
	status := r.list(t, "feed").Fetch
	assert.Equal(t, p.addr, status.From)
	assert.EqualValues(t, 1, status.Serial)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), status.Expires, time.Minute)
	assert.WithinDuration(t, time.Now().Add(5*time.Minute), status.Next, time.Minute)

	start := time.Now()
	p.update("update add other.test.feed.example 60 CNAME .", "update add *.other.test.feed.example 60 CNAME .")
	r.becomes(t, "other.test.", dns.RcodeNameError)
	t.Logf("an addition was in force after %s", time.Since(start))
	assert.Less(t, time.Since(start), 5*time.Second, "by NOTIFY")
	p.update("update delete other.test.feed.example CNAME", "update delete *.other.test.feed.example CNAME")
	r.becomes(t, "other.test.", dns.RcodeSuccess)
	assert.EqualValues(t, 3, r.list(t, "feed").Fetch.Serial)

	p.stop()
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."), "from the disk, at once")
	require.Eventually(t, func() bool { return r.list(t, "feed").Fetch.Failed > 0 }, time.Minute, 20*time.Millisecond)
	assert.Contains(t, r.list(t, "feed").Fetch.Error, "connection refused")

	p.start()
	var gone []string
	for i := range 60 {
		gone = append(gone, fmt.Sprintf("update delete n%d.test.feed.example CNAME", i+1))
	}
	p.update(append(gone, "update delete blocked.test.feed.example CNAME", "update delete *.blocked.test.feed.example CNAME")...)
	id := r.holds(t, "feed", string(guard.CheckEmpty)).ID
	assert.Empty(t, r.list(t, "feed").Fetch.Error)
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."), "a zone that is empty waits")
	assert.Equal(t, id, r.holds(t, "feed", string(guard.CheckEmpty)).ID)

	r.write(t, "feed.key", strings.Replace(transferKey, "c2VjcmV0", "b3RoZXI0", 1))
	r.fetches(t, "feed", fails("BADSIG"))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."))
	r.write(t, "feed.key", transferKey)
	r.fetches(t, "feed", func(f *service.FetchStatus) bool { return f.Error == "" })
	require.NoError(t, r.control().Accept(t.Context(), "feed", id))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "blocked.test."))
}
