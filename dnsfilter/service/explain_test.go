package service_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// TestLookupOfWhatItIs looks up addresses and URLs, for clients that are served and not.
func TestLookupOfWhatItIs(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: local, file: local.txt}\n  - {name: other, file: other.txt, divert: [192.0.2.80]}\nallow: [allow.txt]\n")
	r.write(t, "local.txt", "a.test\n192.0.2.200\n198.51.100.0/24\nhttps://mail.example.org/bad\n")
	r.write(t, "other.txt", "https://shop.example.org/bad\n")
	r.write(t, "allow.txt", "good.a.test\n198.51.100.7\n")
	s, err := r.read()
	require.NoError(t, err)
	look := func(target, client string) service.Explanation {
		var from netip.Addr
		if client != "" {
			from = netip.MustParseAddr(client)
		}
		e, err := service.Explain(s, target, from, slog.New(slog.DiscardHandler))
		require.NoError(t, err, target)
		assert.False(t, e.Unsure())
		return e
	}
	for target, action := range map[string]dnsfilter.Action{
		"192.0.2.200": dnsfilter.NoData, "198.51.100.200": dnsfilter.NoData, "198.51.100.7": dnsfilter.Pass, "192.0.2.201": dnsfilter.Pass,
		"[2001:db8::1]": dnsfilter.Pass, "https://www.a.test/x": dnsfilter.NXDomain, "http://192.0.2.200:8080/": dnsfilter.NoData,
		"https://mail.example.org/bad": dnsfilter.Pass, "https://mail.example.org/": dnsfilter.Pass,
	} {
		assert.Equal(t, action, look(target, "").Action, target)
	}
	assert.Equal(t, "https://mail.example.org/bad", look("mail.example.org/bad?x", "").URLs[0].Entry())
	assert.Empty(t, look("https://mail.example.org/good", "").URLs)
	assert.Equal(t, "other", look("https://shop.example.org/bad", "").Divert)
	e := look("a.test", "8.8.8.8")
	assert.True(t, e.Unserved)
	assert.Equal(t, dnsfilter.Refused, e.Action)
	assert.False(t, look("a.test", "127.0.0.1").Unserved)
	_, err = service.Explain(s, "192.0.2.0/24", netip.Addr{}, slog.New(slog.DiscardHandler))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// TestLookupOfWhatIsMissing does not say pass where a list that may decide is not there.
func TestLookupOfWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: local, file: local.txt}\n  - {name: it.example/csam, root: r.json, from: [https://o.example]}\nallow: [allow.txt]\n")
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "b.test\n")
	unsure := func(name string) bool {
		s, err := r.read()
		require.NoError(t, err)
		e, err := service.Explain(s, name, netip.Addr{}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return e.Unsure()
	}
	assert.True(t, unsure("c.test"), "the signed list may have it")
	assert.False(t, unsure("a.test"), "it is blocked whatever the signed list has")
	assert.False(t, unsure("b.test"), "it is allowed")
	r.settings(t, "lists:\n  - {name: local, file: local.txt}\nallow: [missing.txt]\n")
	assert.True(t, unsure("a.test"), "it may be allowed")
	r.settings(t, "lists:\n  - {name: local, file: missing.txt}\n")
	assert.True(t, unsure("a.test"))
	r.settings(t, "lists:\n  - {name: local, file: local.txt}\n")
	assert.False(t, unsure("c.test"))
}

// TestLookupSaysWhatIsOnDisk: of a signed list the serial and its time, of a fetched one the time of its file.
func TestLookupSaysWhatIsOnDisk(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.change(t, []string{"a.test"}, nil)
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close)
	r := newFolder(t, fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s']}\n", a.root(), web.URL)+
		"  - {name: ads, url: 'https://127.0.0.1:9/ads.txt'}\n  - {name: feed, rpz: feed.example, primary: ['127.0.0.1:9'], key: none}\n  - {name: local, file: local.txt}\n")
	r.write(t, "local.txt", "b.test\n")
	r.start(t)
	r.becomes(t, "a.test.", dns.RcodeNameError)
	require.NoError(t, r.stop())
	s, err := r.read()
	require.NoError(t, err)
	fetched, changed := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_100, 0)
	for path, made := range map[string]time.Time{s.Lists[1].File: fetched, s.Lists[2].File: fetched, rpz.JournalOf(s.Lists[2].File): changed} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chtimes(path, made, made))
	}
	e, err := service.Explain(s, "a.test", netip.Addr{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Len(t, e.Copies, 3)
	assert.Equal(t, "it.example/test", e.Copies[0].List)
	assert.EqualValues(t, 1, e.Copies[0].Serial)
	assert.WithinDuration(t, time.Now(), e.Copies[0].Made, time.Hour)
	assert.Equal(t, []service.Copy{{List: "ads", Made: fetched}, {List: "feed", Made: changed}}, e.Copies[1:])
}

// TestLookupOfWhatIsOnHold tells what is in force, not what the file has.
func TestLookupOfWhatIsOnHold(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: local, file: local.txt}\n")
	r.write(t, "local.txt", names(100))
	r.start(t)
	r.write(t, "local.txt", names(5))
	r.holds(t, "local", "shrink")
	s, err := r.read()
	require.NoError(t, err)
	e, err := service.Explain(s, "n50.test", netip.Addr{}, slog.New(slog.NewTextHandler(r.log, nil)))
	require.NoError(t, err)
	assert.Equal(t, dnsfilter.NXDomain, e.Action)
	assert.Contains(t, r.log.String(), "the guards hold the file as it is now")
}
