package service_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/freeport"
)

// names returns the text of a list of n names.
func names(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "n%d.test\n", i)
	}
	return text.String()
}

func (r *running) control() *service.Control {
	return service.NewControl(filepath.Join(r.dir, "state"))
}

// list returns the status of one list.
func (r *running) list(t *testing.T, name string) service.ListStatus {
	t.Helper()
	s, err := r.control().Status(t.Context())
	require.NoError(t, err)
	for _, l := range s.Lists {
		if strings.HasPrefix(l.List, name) {
			return l
		}
	}
	t.Fatalf("no list %s in %v", name, s.Lists)
	return service.ListStatus{}
}

// holds waits until something is on hold of a list that trips a check.
func (r *running) holds(t *testing.T, name, check string) (held *subscribe.Hold) {
	t.Helper()
	require.Eventually(t, func() bool {
		held = r.list(t, name).Hold
		return held != nil && string(held.Report.Findings[0].Check) == check
	}, time.Minute, 20*time.Millisecond, "%s\n%s", check, r.log)
	return held
}

// releases waits until nothing is on hold of a list any more.
func (r *running) releases(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool { return r.list(t, name).Hold == nil }, time.Minute, 20*time.Millisecond, r.log)
}

func (r *running) restart(t *testing.T) {
	t.Helper()
	require.NoError(t, r.stop())
	r.log = &logtest.Buffer{}
	r.start(t)
}

// TestGuardsOfLocalLists changes the file of a list to what must not come into force unseen.
func TestGuardsOfLocalLists(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "guard: {protected: [protected.txt], popular: [popular.txt]}\nlists:\n  - {name: local, file: local.txt}\n")
	r.write(t, "protected.txt", "bank.test\n")
	r.write(t, "popular.txt", "search.test\n")
	full := names(200)
	r.write(t, "local.txt", full)
	r.start(t)
	for _, c := range []struct{ check, text string }{ // each another check than the one before, which is what is waited for
		{"empty", "\n"},
		{"shrink", names(20)}, // a tenth
		{"empty", "# a comment alone\n"},
		{"growth", names(300)},
		{"wide-address", full + "0.0.0.0/0\n"},
		{"single-label", full + "||com^\n"},
		{"public-suffix", full + "co.uk\n"},
		{"single-label", "local=/com/\n" + dnsmasqNames(200)},
		{"private-suffix", full + "github.io\n"},
		{"single-label", "$ORIGIN .\ncom CNAME .\n*.com CNAME .\n" + rpzNames(200)},
		{"protected", full + "www.bank.test\n"},
		{"popular", full + "search.test\n"},
		{"wide-address", full + "2001::/16\n"},
	} {
		text := c.text
		if strings.Contains(text, "||") {
			text = "[Adblock Plus]\n" + "||" + strings.ReplaceAll(strings.TrimSpace(full), "\n", "^\n||") + "^\n||com^\n"
		}
		r.write(t, "local.txt", text)
		r.holds(t, "local", c.check)
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n100.test."), c.check)
		assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "other.com."), c.check)
	}
	r.write(t, "local.txt", full)
	r.releases(t, "local")
	r.write(t, "local.txt", full+"10.0.0.1\none.more.test\n") // what changes as usual passes, addresses of one's own network too
	r.releases(t, "local")
	r.becomes(t, "one.more.test.", dns.RcodeNameError)
}

func dnsmasqNames(n int) string {
	return "local=/" + strings.ReplaceAll(strings.TrimSpace(names(n)), "\n", "/\nlocal=/") + "/\n"
}

func rpzNames(n int) string {
	each := strings.ReplaceAll(names(n), "\n", " CNAME .\n")
	return each + "*." + strings.ReplaceAll(strings.TrimSpace(each), "\n", "\n*.") + "\n"
}

// TestHoldsOfLocalLists accepts and rejects, restarts, and changes the file meanwhile.
func TestHoldsOfLocalLists(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "metrics: "+freeport.Addr(t)+"\nlists:\n  - {name: local, file: local.txt}\n")
	r.write(t, "local.txt", names(200))
	r.start(t)
	r.write(t, "local.txt", names(20))
	held := r.holds(t, "local", "shrink")
	assert.EqualValues(t, 20, held.Entries)
	assert.EqualValues(t, 200, r.list(t, "local").Entries)
	assert.Contains(t, r.log.String(), held.ID)

	r.restart(t) // does not let it pass, and loses neither it nor the last good list
	again := r.holds(t, "local", "shrink")
	assert.Equal(t, held.ID, again.ID)
	assert.Equal(t, held.Since, again.Since)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n100.test."))
	time.Sleep(500 * time.Millisecond) // the file is read once more
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n100.test."))

	c := r.control()
	require.ErrorContains(t, c.Accept(t.Context(), "local", "0000"), subscribe.ErrNoHold.Error())
	require.NoError(t, c.Reject(t.Context(), "local", held.ID))
	assert.True(t, r.list(t, "local").Hold.Rejected)
	r.restart(t)
	assert.True(t, r.holds(t, "local", "shrink").Rejected)

	r.write(t, "local.txt", names(21)) // what was looked at is not there any more
	require.Eventually(t, func() bool { h := r.list(t, "local").Hold; return h != nil && h.ID != held.ID }, time.Minute, 20*time.Millisecond)
	require.ErrorContains(t, c.Accept(t.Context(), "local", held.ID), subscribe.ErrNoHold.Error())
	r.write(t, "local.txt", names(20))
	require.Eventually(t, func() bool { h := r.list(t, "local").Hold; return h != nil && h.ID == held.ID }, time.Minute, 20*time.Millisecond)
	require.NoError(t, c.Accept(t.Context(), "local", held.ID))
	assert.Nil(t, r.list(t, "local").Hold)
	assert.EqualValues(t, 20, r.list(t, "local").Entries)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "n100.test."))
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "n10.test."))
	assert.Nil(t, r.list(t, "local").Hold)
	require.ErrorContains(t, c.Accept(t.Context(), "local", held.ID), subscribe.ErrNoHold.Error())
}

// TestFirstStateOfALocalList: without a list before it, what is on hold is not enforced, and everybody is told.
func TestFirstStateOfALocalList(t *testing.T) {
	t.Parallel()
	metrics := freeport.Addr(t)
	r := newFolder(t, "metrics: "+metrics+"\nlists:\n  - {name: local, file: local.txt}\n  - {name: other, file: other.txt}\nallow: [allow.txt]\n")
	r.write(t, "local.txt", "co.uk\na.test\n")
	r.write(t, "other.txt", "b.test\nc.test\nlabel\nd.test\nhttps://b.test/x\n")
	r.write(t, "allow.txt", "c.test\n0.0.0.0/0\n")
	r.start(t)
	held := r.holds(t, "local", "public-suffix")
	r.holds(t, "allow/", "wide-address")
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "b.test."))
	assert.Contains(t, r.log.String(), "NOT ENFORCED")
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + metrics + path)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	code, text := get("/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Contains(t, text, "list local: not enforced: it is on hold")
	assert.Contains(t, text, "allow.txt")
	_, text = get("/metrics")
	assert.Contains(t, text, `dnsfilter_list_on_hold{list="local"} 1`)
	assert.Contains(t, text, `dnsfilter_list_on_hold{list="other"} 0`)
	assert.Contains(t, text, `dnsfilter_list_skipped_lines{list="other",reason="a single label"} 1`)
	assert.Contains(t, text, "/allow.txt\",list=\"allow/allow-")
	assert.Contains(t, text, `dnsfilter_list_urls_not_enforced{list="other"} 1`)

	require.NoError(t, r.control().Accept(t.Context(), "local", held.ID))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	code, _ = get("/readyz")
	assert.Equal(t, http.StatusOK, code)
}

// TestGuardsOfAllowFiles: what lifts blocks is held in its own direction.
func TestGuardsOfAllowFiles(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "guard: {protected: [protected.txt]}\nlists:\n  - {name: local, file: local.txt}\nallow: [allow.txt]\n")
	r.write(t, "protected.txt", "bank.com\n")
	r.write(t, "local.txt", "bad.com\n")
	r.write(t, "allow.txt", "good.com\n")
	r.start(t)
	for _, text := range []string{"[Adblock]\n@@||good.com^\n@@||com^\n", "good.com\nco.uk\n", "good.com\n192.0.0.0/2\n", "# nothing\n"} {
		r.write(t, "allow.txt", text)
		require.Eventually(t, func() bool { return r.list(t, "allow/").Hold != nil }, time.Minute, 20*time.Millisecond, "%q\n%s", text, r.log)
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "bad.com."))
		r.write(t, "allow.txt", "good.com\n")
		r.releases(t, "allow/")
	}
	r.write(t, "allow.txt", "good.com\nwww.bank.com\nbad.com\n") // what is protected may well be allowed
	r.becomes(t, "bad.com.", dns.RcodeSuccess)
	assert.Nil(t, r.list(t, "allow/").Hold)
	assert.Equal(t, filepath.Join(r.dir, "allow.txt"), r.list(t, "allow/").File)
}

// TestSkippedLinesAreTold wherever the list is shown, after a restart too.
func TestSkippedLinesAreTold(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: local, file: local.rpz}\n  - {name: diverted, file: urls.txt, divert: [192.0.2.80]}\n  - {name: urls, file: urls.txt}\n")
	r.write(t, "local.rpz", "$ORIGIN rpz.test.\n@ SOA . . 1 1 1 1 1\na.test CNAME .\nb.test CNAME .\nc.test CNAME .\n"+
		"ns.test.rpz-nsdname CNAME .\n24.0.2.0.192.rpz-client-ip CNAME .\n")
	r.write(t, "urls.txt", "https://a.test/x\nhttps://a.test/y\nb.test\n")
	s, err := r.read()
	require.NoError(t, err)
	checks, err := service.ReadFiles(s)
	require.NoError(t, err)
	require.Len(t, checks, 3)
	assert.Contains(t, fmt.Sprint(checks[0].Skipped), "rpz-nsdname")
	assert.EqualValues(t, 3, checks[0].Entries)
	assert.Equal(t, []uint64{0, 0, 2}, []uint64{checks[0].URLs, checks[1].URLs, checks[2].URLs})
	r.start(t)
	assert.Contains(t, r.log.String(), "url entries are not enforced")
	for range 2 {
		l := r.list(t, "local")
		assert.EqualValues(t, "rpz", l.Format)
		text, err := json.Marshal(l.Skipped)
		require.NoError(t, err)
		assert.Contains(t, string(text), "rpz-nsdname")
		assert.Contains(t, string(text), `"lines":[`)
		assert.EqualValues(t, 2, r.list(t, "urls").URLs)
		assert.Zero(t, r.list(t, "diverted").URLs)
		r.restart(t)
	}
	require.NoError(t, os.Remove(filepath.Join(r.dir, "local.rpz")))
	r.restart(t)
	assert.NotEmpty(t, r.list(t, "local").Skipped)
}

// TestKeysOfFiles reads files as their lists' keys say.
func TestKeysOfFiles(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: zone, file: zone.rpz, zone: rpz.test.}\n  - {name: stop, file: stop.txt, stop_page: [203.0.113.72]}\n"+
		"  - {name: free, file: free.txt, guard: off}\n")
	r.write(t, "zone.rpz", "bad1.example.rpz.test. CNAME .\n*.bad1.example.rpz.test. CNAME .\n")
	r.write(t, "stop.txt", "203.0.113.72 bad2.example\n198.51.100.1 other.example\n203.0.113.72 bad3.example\n203.0.113.72 bad4.example\n203.0.113.72 bad5.example\n")
	r.write(t, "free.txt", names(100))
	r.start(t)
	for name, rcode := range map[string]int{
		"bad1.example.": dns.RcodeNameError, "bad2.example.": dns.RcodeSuccess, "n50.test.": dns.RcodeNameError, "other.example.": dns.RcodeSuccess,
	} {
		answer := dnstest.Exchange(t, "udp", r.addr, dnstest.Question(name, dns.TypeA))
		assert.Equal(t, rcode, answer.Rcode, name)
		assert.Equal(t, name == "other.example.", len(answer.Answer) > 0, name)
	}
	r.write(t, "free.txt", "x.test\nco.uk\n")
	r.becomes(t, "y.co.uk.", dns.RcodeNameError)
	r.settings(t, "lists:\n  - {name: a, file: a.txt, guard: on, stop_page: ['c..d'], zone: 'a..b'}\n")
	_, err := r.read()
	for _, text := range []string{`guard "on"`, `stop_page "c..d"`, `zone "a..b"`} {
		require.ErrorContains(t, err, text)
	}
}
