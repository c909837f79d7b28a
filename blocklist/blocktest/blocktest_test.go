package blocktest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

func TestStore(t *testing.T) {
	s := blocktest.NewStore(t, "example.org category=spam\n=host.test", "192.0.2.0/24")
	m, ok := s.LookupHost("www.example.org")
	require.True(t, ok)
	assert.Equal(t, []string{blocktest.List, "example.org", "spam"}, []string{m.List, m.Entry(), m.Category})
	_, ok = s.LookupHost("www.host.test")
	assert.False(t, ok)
	blocktest.SetList(t, s, blocktest.List, "host.test")
	_, ok = s.LookupHost("www.host.test")
	assert.True(t, ok)
	assert.Empty(t, blocktest.NewStore(t).Lists())
}

func TestOrigin(t *testing.T) {
	o := blocktest.NewOrigin(t, "example.org")
	store := blocktest.NewStore(t)
	sub, err := subscribe.New(store, subscribe.Config{List: blocktest.List, Root: o.Root, Origins: []string{o.URL}})
	require.NoError(t, err)
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	_, ok := store.LookupHost("www.example.org")
	assert.True(t, ok)

	o.Publish("example.com")
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	_, ok = store.LookupHost("www.example.org")
	assert.False(t, ok)
	assert.Equal(t, uint64(2), sub.Status().Serial)
}

func TestNothingPublished(t *testing.T) {
	o := blocktest.NewOrigin(t)
	sub, err := subscribe.New(blocktest.NewStore(t), subscribe.Config{List: blocktest.List, Root: o.Root, Origins: []string{o.URL}})
	require.NoError(t, err)
	_, err = sub.Refresh(t.Context())
	require.Error(t, err)
	o.Publish("example.com")
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
}

func TestEntriesTellsWhatIsWrong(t *testing.T) {
	for _, err := range blocktest.Entries("*.example.org") {
		require.ErrorIs(t, err, blocklist.ErrMalformed)
	}
}

func TestNewSet(t *testing.T) {
	s := blocktest.NewSet(t, "example.org category=spam")
	m, ok := s.LookupHost("www.example.org")
	require.True(t, ok)
	assert.Equal(t, []string{blocktest.List, "spam"}, []string{m.List, m.Category})
}

// TestSeveralLists follows two lists of one origin in one store: what is published is in force at once, without a poll.
func TestSeveralLists(t *testing.T) {
	o := blocktest.NewOrigin(t, "example.org")
	roots := map[string][]byte{blocktest.List: o.Root, "it.example/other": o.AddList("it.example/other", "example.com")}
	store := blocktest.NewStore(t)
	for list, root := range roots {
		sub, err := subscribe.New(store, subscribe.Config{List: list, Root: root, Origins: []string{o.URL}})
		require.NoError(t, err)
		ended := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- sub.Run(ctx) }()
		defer func() { cancel(); <-ended }()
	}
	listed := func(host, list string) func() bool {
		return func() bool {
			m, ok := store.LookupHost(host)
			return ok && m.List == list
		}
	}
	require.Eventually(t, listed("example.org", blocktest.List), 20*time.Second, time.Millisecond)
	require.Eventually(t, listed("example.com", "it.example/other"), 20*time.Second, time.Millisecond)
	o.PublishList("it.example/other", "example.net")
	require.Eventually(t, listed("example.net", "it.example/other"), 20*time.Second, time.Millisecond)
}

func TestFail(t *testing.T) {
	o := blocktest.NewOrigin(t, "example.org")
	sub, err := subscribe.New(blocktest.NewStore(t), subscribe.Config{List: blocktest.List, Root: o.Root, Origins: []string{o.URL}})
	require.NoError(t, err)
	o.Fail(http.StatusServiceUnavailable)
	_, err = sub.Refresh(t.Context())
	require.ErrorContains(t, err, "503")
	o.Fail(0)
	_, err = sub.Refresh(t.Context())
	require.NoError(t, err)
	o.Stop()
	_, err = sub.Refresh(t.Context())
	require.Error(t, err)
}
