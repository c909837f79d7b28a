package service_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// TestZoneJournal: one resolver copies a zone from another. A change is in force without a look at the whole zone, and
// over a restart; the whole zone is looked at where the guards are to see it, and where the journal is damaged.
func TestZoneJournal(t *testing.T) {
	t.Parallel()
	p, r := newFolder(t, ""), newFolder(t, "")
	p.settings(t, fmt.Sprintf("lists: [{name: l, file: l.txt, guard: off}]\nrpz:\n  - {zone: feed.example, lists: [l], key: none, allow: [127.0.0.1], notify: ['%s']}\n", r.addr))
	r.settings(t, "lists: [{name: feed, rpz: feed.example, primary: ['"+p.addr+"'], key: none}]\n")
	var names strings.Builder
	for i := range 200 {
		fmt.Fprintf(&names, "n%d.test\n", i)
	}
	p.write(t, "l.txt", names.String())
	p.start(t)
	require.Eventually(t, func() bool { return zoneOf(t, p).Serial > 0 }, time.Minute, 5*time.Millisecond, p.log)
	r.start(t)
	r.becomes(t, "n7.test.", dns.RcodeNameError)
	file := filepath.Join(r.dir, "state", "fetched", "feed", "list")
	first, err := os.ReadFile(file)
	require.NoError(t, err)

	p.write(t, "l.txt", names.String()+"new.test\n")
	r.becomes(t, "new.test.", dns.RcodeNameError)
	p.write(t, "l.txt", strings.Replace(names.String(), "n7.test\n", "", 1)+"new.test\n")
	r.becomes(t, "n7.test.", dns.RcodeSuccess)
	l := r.list(t, "feed")
	assert.Equal(t, uint64(400), l.Entries)
	assert.Equal(t, map[string]int{"qname": 400}, l.Triggers)
	assert.Equal(t, zoneOf(t, p).Serial, l.ZoneSerial)
	assert.Equal(t, zoneOf(t, p).Serial, l.Fetch.Serial)
	assert.Equal(t, 2, strings.Count(r.log.String(), `msg="policy zone changed" list=feed`), r.log)
	assert.Equal(t, 1, strings.Count(r.log.String(), `msg="policy zone loaded"`), "the whole zone was read once")
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(now))
	require.NoError(t, p.stop())

	journal, copied := rpz.JournalOf(file), rpz.JournalOf(filepath.Join(r.dir, "state", "zones", "feed"))
	restart := func() {
		require.NoError(t, r.stop())
		r.log = &logtest.Buffer{}
		r.start(t)
	}
	enforced := func() {
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "new.test."))
		assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "n7.test."))
	}
	restart()
	enforced()
	assert.NotContains(t, r.log.String(), `msg="policy zone loaded"`, "the copy is that of the file")
	require.NoError(t, os.Remove(copied))
	restart()
	enforced()
	assert.FileExists(t, copied)
	text, err := os.ReadFile(journal)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(journal, []byte(strings.Replace(string(text), "new.test", "n8.test", 1)), 0o600))
	restart()
	assert.Contains(t, r.log.String(), "the journal was removed")
	assert.NoFileExists(t, journal)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n7.test."), "the zone before")
	p.start(t)
	r.becomes(t, "new.test.", dns.RcodeNameError)
	r.becomes(t, "n7.test.", dns.RcodeSuccess)

	p.write(t, "l.txt", "n1.test\n")
	id := r.holds(t, "feed", string(guard.CheckShrink)).ID
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n8.test."))
	assert.NoFileExists(t, journal)
	require.NoError(t, r.control().Accept(t.Context(), "feed", id))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "n8.test."))
	assert.NoFileExists(t, copied)
}
