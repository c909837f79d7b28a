package blocktest_test

import (
	"testing"

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
