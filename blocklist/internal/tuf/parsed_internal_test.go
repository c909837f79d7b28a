package tuf

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

func TestParsedDocuments(t *testing.T) {
	var p parsed[string]
	calls := 0
	parse := func(b []byte) (*string, error) {
		calls++
		if len(b) > 3 {
			return nil, blocklist.ErrTooLarge
		}
		text := string(b)
		return &text, nil
	}
	bytes := []byte("one")
	one, err := p.get(bytes, parse)
	require.NoError(t, err)
	again, err := p.get([]byte("one"), parse)
	require.NoError(t, err)
	assert.Same(t, one, again)
	assert.Equal(t, 1, calls)
	bytes[0] = 'x'
	other, err := p.get(bytes, parse)
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "xne"}, []string{*one, *other})
	for range 2 {
		_, err = p.get([]byte("long"), parse)
		require.ErrorIs(t, err, blocklist.ErrTooLarge)
	}
	assert.Equal(t, 4, calls, "errors are not remembered")
	runtime.KeepAlive(one)
	runtime.KeepAlive(other)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		runtime.GC()
		left := 0
		p.documents.Range(func(any, any) bool { left++; return true })
		assert.Zero(c, left, "what is not in use is forgotten")
	}, time.Minute, 10*time.Millisecond)
}

// A document that is remembered under one limit is still too large for a lower one.
func TestParsedTargetsHaveALimit(t *testing.T) {
	b := []byte(`{"signed": {"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": "2030-01-01T00:00:00Z", "targets": {}}, "signatures": []}`)
	d, err := ParseTargets("targets", b, len(b))
	require.NoError(t, err)
	_, err = ParseTargets("urgent orders", b, len(b)-1)
	require.ErrorIs(t, err, blocklist.ErrTooLarge)
	assert.EqualValues(t, 1, d.Version)
}
