package trust_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Metadata is stored as the documents that were received, in base64, and is the same when it is read.
func TestStoredMetadata(t *testing.T) {
	a, root := urgentAgency(t)
	docs := chain(t, a.Release(7, "example.org").Targets, 1, time.Now().Add(time.Hour), online)
	m, err := docs.metadata()
	require.NoError(t, err)
	orders := published(t, docs.Targets, a.Orders(3, 7, []string{order}, anna))
	m.Urgent, m.Refused = orders.Urgent, orders.Urgent
	b, err := json.Marshal(m)
	require.NoError(t, err)
	var plain map[string][]byte
	require.NoError(t, json.Unmarshal(b, &plain))
	assert.Equal(t, map[string][]byte{
		"timestamp": docs.Timestamp, "snapshot": docs.Snapshot, "targets": docs.Targets, "urgent": m.Urgent.Bytes(), "refused": m.Urgent.Bytes(),
	}, plain)
	var read trust.Metadata
	require.NoError(t, json.Unmarshal(b, &read))
	assert.True(t, m.Equal(read))

	plain["urgent"] = []byte(`{"signed":{"_type":"targets","version":3},"signatures":[]}`) // of an earlier form
	b, err = json.Marshal(plain)
	require.NoError(t, err)
	read = trust.Metadata{}
	require.NoError(t, json.Unmarshal(b, &read))
	assert.Nil(t, read.Urgent)

	b, err = json.Marshal(root)
	require.NoError(t, err)
	var again trust.Root
	require.NoError(t, json.Unmarshal(b, &again))
	assert.Equal(t, root.Bytes(), again.Bytes())
	unsigned, err := trust.NewRoot(root.Spec())
	require.NoError(t, err)
	b, err = json.Marshal(unsigned)
	require.NoError(t, err)
	assert.ErrorIs(t, json.Unmarshal(b, &again), blocklist.ErrUntrusted)
}
