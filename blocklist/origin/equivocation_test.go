package origin_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// A forged history: enough officers have signed another state of a serial. The origin calls it what it is, keeps what it
// has and the proof.
func TestEquivocation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, first))
	second := h.agency.Delta(first, "+example.net")
	require.NoError(t, h.push(t, second))
	evidence := func() []string {
		files, err := filepath.Glob(filepath.Join(h.dir, "evidence", h.agency.List, "equivocation-*.json"))
		require.NoError(t, err)
		return files
	}

	fork := h.agency.Delta(first, "+evil.example")
	require.ErrorIs(t, h.push(t, fork), blocklist.ErrEquivocation)
	later := h.agency.Delta(fork, "+more.example")
	err := h.push(t, later)
	require.ErrorIs(t, err, blocklist.ErrEquivocation, "a later serial that rests on it")
	require.ErrorContains(t, err, "serial 2: equivocation")
	require.ErrorIs(t, h.push(t, fork), blocklist.ErrEquivocation)
	require.Len(t, evidence(), 2, "each once")
	info, err := os.Stat(evidence()[0])
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	answer := httptest.NewRecorder()
	h.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/lists/"+h.agency.List, bytes.NewReader(h.agency.Bundle(fork))))
	assert.Equal(t, http.StatusConflict, answer.Code)
	assert.Contains(t, answer.Body.String(), "equivocation")

	unsigned := *h.agency
	unsigned.Officers = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}
	err = h.push(t, unsigned.Release(2, "other.example"))
	require.ErrorIs(t, err, blocklist.ErrRollback)
	require.NotErrorIs(t, err, blocklist.ErrEquivocation, "too few officers have signed it")

	for i := range 20 {
		require.ErrorIs(t, h.push(t, h.agency.Delta(first, "+evil.example", "+n"+string(rune('a'+i))+".example")), blocklist.ErrEquivocation)
	}
	assert.Len(t, evidence(), 8, "there is a limit")
	require.NoError(t, h.push(t, h.agency.Delta(second, "+third.example")), "the true history goes on")
}
