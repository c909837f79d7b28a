package blocklist_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
)

func TestIsURL(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"http://example.org", `http:\\example.org\p`, "http:example.org", "HTTPS:/example.org", "ht\ttp:example.org", " http:example.org", "ftp://example.org",
		"example.org/p", "example.org?", "example.org#x", "//example.org", "http:",
	} {
		assert.True(t, blocklist.IsURL(text), text)
	}
	for _, text := range []string{"", "example.org", "example.org:443", "localhost:80", "[2001:db8::1]:443", "2001:db8::1", "192.0.2.1", `a\.b.example`, "urn:isbn:1"} {
		assert.False(t, blocklist.IsURL(text), text)
	}
}

func TestCheckURL(t *testing.T) { //nolint:paralleltest // it counts allocations
	for _, url := range []string{"http://example.org/", `http:\\example.org\p`, "//u:p@example.org", "http://[::1]:80/", "http://b\u00fccher.example/", "http://_a.example/%zz", "http://example.org/" + strings.Repeat("a", 10_000)} {
		want := url == "//u:p@example.org" // it begins with a path
		assert.Equal(t, want, blocklist.CheckURL(url) != nil, url)
	}
	for _, url := range []string{"", "http://", "http:///", "http://%20example.org/", "http://example.org:80:80/", "http://a^b.example/", "http://[::1", "http://[fe80::1%25eth0]/", strings.Repeat("%", 10_000)} {
		assert.ErrorIs(t, blocklist.CheckURL(url), blocklist.ErrMalformed, url)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = blocklist.CheckURL("http://www.example.org/path?query") }))
}
