package blocklist_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
)

func TestMatchAsText(t *testing.T) {
	s := blocktest.NewStore(t, `=example.org category=csam ref="order 17" expires=2090-01-02`, "https://site.test/a/* status=monitor")
	m, ok := s.LookupHost("example.org")
	require.True(t, ok)
	assert.Equal(t, `it.example/test: =example.org category=csam ref="order 17" expires=2090-01-02`, fmt.Sprint(m))
	b, err := json.Marshal(m)
	require.NoError(t, err)
	assert.JSONEq(t, `{"list":"it.example/test","target":"=example.org","scope":"host","category":"csam","ref":"order 17","status":"block","expires":"2090-01-02T00:00:00Z"}`, string(b))
	m, ok = s.LookupURL("https://site.test/a/b")
	require.True(t, ok)
	b, err = json.Marshal(&m)
	require.NoError(t, err)
	assert.JSONEq(t, `{"list":"it.example/test","target":"https://site.test/a/*","scope":"url","status":"monitor"}`, string(b))
}
