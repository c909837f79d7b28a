package config_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/config"
)

func TestFetchedLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "feed.key", zoneKey)
	s, err := readText(t, dir, "state: state\nlists:\n"+
		"  - {name: ads, url: https://lists.example/ads.txt, refresh: 90m, scope: host}\n"+
		"  - {name: my/mirror, url: [http://192.0.2.1/a, https://b.example/a?x=1], allow_http: on, guard: off}\n"+
		"  - {name: feed, rpz: feed.example, primary: [192.0.2.54, 'tls://[2001:db8::1]#ns.example'], key: feed.key}\n"+
		"  - {name: web, rpz: web.example, url: https://web.example/zone}\n"+
		"  - {name: own, rpz: own.example, file: own.zone}\n")
	require.NoError(t, err)
	require.Len(t, s.Lists, 5)
	assert.Equal(t, 90*time.Minute, s.Lists[0].Fetch.Refresh)
	assert.Equal(t, filepath.Join(dir, "state/fetched/ads/list"), s.Lists[0].File)
	assert.Equal(t, filepath.Join(dir, "state/fetched/my_mirror/list"), s.Lists[1].File)
	assert.Equal(t, []string{"http://192.0.2.1/a", "https://b.example/a?x=1"}, s.Lists[1].Fetch.URLs)
	feed := s.Lists[2].LocalFile()
	assert.Equal(t, formats.RPZ, feed.Format)
	assert.Equal(t, "feed.example", feed.Zone)
	assert.True(t, feed.Fetched)
	assert.True(t, feed.Awaited())
	assert.Equal(t, "192.0.2.54:53", s.Lists[2].Fetch.Primaries[0].String())
	key, err := s.Lists[2].Fetch.Key()
	require.NoError(t, err)
	assert.Equal(t, "transfer", key.Name())
	assert.Contains(t, s.OwnFiles(), filepath.Join(dir, "feed.key"))
	own := s.Lists[4].LocalFile()
	assert.Equal(t, filepath.Join(dir, "own.zone"), own.Path)
	assert.False(t, own.Awaited())
	assert.False(t, s.Lists[4].Fetch.IsSet())
	assert.Len(t, s.Needs(), 3, "the hosts of the URLs are needed")

	writeFile(t, dir, "own.zone", "x CNAME .\n")
	require.NoError(t, s.CheckFiles(), "what was not fetched yet is no mistake")
	writeFile(t, dir, "feed.key", "key")
	assert.ErrorContains(t, s.CheckFiles(), "reading TSIG keys")

	for list, want := range map[string]string{
		"url: https://a.example/x, file: a":                             "has one of file, url",
		"url: https://a.example/x, from: [https://o.example], root: r":  "has one of file, url",
		"url: https://a.example/x, root: r":                             "root is for signed lists",
		"url: https://a.example/x, refresh: 5s":                         "duration \"5s\"",
		"url: http://a.example/x":                                       "can be changed on its way",
		"url: [https://a.example/x, HTTP://a.example/x]":                "can be changed on its way",
		"url: ftp://a.example/x":                                        "url \"ftp://a.example/x\"",
		"url: []":                                                       "the list is empty",
		"file: a, refresh: 1h":                                          "refresh and allow_http are for",
		"primary: 192.0.2.1, key: none":                                 "needs the name of its zone",
		"rpz: a.example, primary: 192.0.2.1":                            "needs a key",
		"rpz: a.example, primary: ns.example, key: none":                "resolver \"ns.example\"",
		"rpz: a.example, file: a, key: none":                            "key is for lists with a primary",
		"rpz: a.example, from: [https://o.example], root: r":            "rpz is for files",
		"rpz: a.example, file: a, zone: b.example":                      "leave zone out",
		"rpz: a.example, file: a, format: hosts":                        "leave format out",
		"file: a, action: tcp-only":                                     "the action tcp-only is for a policy zone, which has rpz",
		"file: a, action: passthru":                                     "the action passthru is for a policy zone, which has rpz",
		"rpz: ., file: a":                                               "write a name like",
		"rpz: a.example":                                                "a list needs from (origins) and root, or a file, a url",
		"url: https://a.example/x, receipts: k":                         "receipts are for signed lists",
		"url: https://a.example/x, primary: 192.0.2.1, rpz: a, key: ''": "a path is needed",
	} {
		_, err := readText(t, t.TempDir(), "state: state\nlists:\n  - {name: a, "+list+"}\n")
		assert.ErrorContains(t, err, want, list)
		wrong, ok := err.(config.Errors) //nolint:errorlint // it is what Read returns
		if assert.True(t, ok, list) {
			assert.Len(t, wrong, 1, list)
		}
	}
}
