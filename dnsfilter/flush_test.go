package dnsfilter_test

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// TestFlushForgetsANameAndWhatIsBelow leaves the neighbours of a name alone.
func TestFlushForgetsANameAndWhatIsBelow(t *testing.T) {
	t.Parallel()
	names := []string{"example.org.", "www.example.org.", "a.b.example.org.", "notexample.org.", "org.", "."}
	up := &counting{next: dnstest.NewZone(t, "$TTL 300\n. TXT x\n*. TXT x\n")}
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
	asked := func() int64 { // again, for the names that are not cached
		before := up.n.Load()
		for _, name := range names {
			require.Len(t, ask(t, s, "udp", dnstest.Question(name, dns.TypeTXT)).Answer, 1, name)
		}
		return up.n.Load() - before
	}
	require.EqualValues(t, len(names), asked())
	require.Zero(t, asked())
	n, err := s.Flush("Example.ORG")
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.EqualValues(t, 3, asked())
	n, err = s.Flush(".")
	require.NoError(t, err)
	assert.Equal(t, len(names), n)
	n, err = s.Flush(".")
	require.NoError(t, err)
	assert.Zero(t, n)
	_, err = s.Flush("a..b")
	require.ErrorIs(t, err, blocklist.ErrMalformed)
}
