package internal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/backlog"
)

func TestBacklog(t *testing.T) { //nolint:paralleltest // it counts allocations
	b := backlog.New(8)
	assert.Empty(t, b.Take())
	b.Add([]byte("one"))
	b.Add([]byte("two"))
	b.Add([]byte("three")) // no room
	<-b.Ready()
	assert.Equal(t, "onetwo", string(b.Take()))
	b.Add([]byte("three"))
	assert.EqualValues(t, 1, b.Dropped())
	assert.Equal(t, "three", string(b.Take()))
	b.Drop(2)
	assert.EqualValues(t, 3, b.Dropped())
	record := []byte("12345678")
	assert.Zero(t, testing.AllocsPerRun(100, func() { b.Add(record); b.Take() }))
}
