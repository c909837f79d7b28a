package proposal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// send sends a body to a handler, and returns the status and the answer.
func send(t testing.TB, h http.Handler, token, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/reports", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestReports(t *testing.T) {
	t.Parallel()
	l, dir := newLedger(t)
	token, err := proposal.NewToken(t.Context(), l, "hotline", anna)
	require.NoError(t, err)
	h := proposal.NewReports(func(do func(*publish.Ledger) error) error { return do(l) })
	for range 2 {
		status, answer := send(t, h, token, `{"target": "hxxps://bad[.]example/page", "key": "17", "category": "csam"}`)
		assert.Equal(t, http.StatusOK, status, answer)
		assert.Contains(t, answer, `"id":1,"key":"17"`)
	}
	status, answer := send(t, h, token, `[{"target": "a.example"}, {"target": "no name", "key": "x"}]`)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, answer, `{"results":[{"id":2,"outcome":"recorded"},{"key":"x","outcome":"rejected","why":`)
	p, steps, err := proposal.Get(t.Context(), l, 1)
	require.NoError(t, err)
	assert.Equal(t, "hotline", p.Source)
	require.Len(t, steps, 1)
	assert.Equal(t, "hotline", steps[0].Author)

	for body, want := range map[string]int{
		"": 413, "{}": 200, "[]": 413, "null": 200, "{": 400, `{"colour": 1}`: 400, `[{}]]`: 400, "{}{}": 400,
		`{"target": "` + strings.Repeat("x", proposal.MaxReportsBody) + `"}`: 413,
		"[" + strings.Repeat("{},", proposal.MaxReports) + "{}]":             413,
	} {
		status, answer := send(t, h, token, body)
		assert.Equal(t, want, status, "%.30s: %.100s", body, answer)
	}
	status, answer = send(t, h, "argine-wrong", "{}")
	assert.Equal(t, 401, status)
	assert.NotContains(t, answer, "hotline")
	again, err := proposal.NewToken(t.Context(), l, "hotline", anna)
	require.NoError(t, err)
	status, _ = send(t, h, token, "{}")
	assert.Equal(t, 401, status, "a new token takes the place of the old one")
	limited := 0
	for range 300 {
		if status, _ := send(t, h, again, "{"); status == http.StatusTooManyRequests {
			limited++
		}
	}
	assert.Positive(t, limited)
	verified(t, l)
	require.NoError(t, proposal.RemoveSource(t.Context(), l, "hotline", anna))
	assert.ErrorIs(t, proposal.RemoveSource(t.Context(), l, "hotline", anna), proposal.ErrNoSource)
	verified(t, l)
	ledgertest.Tamper(t, dir, `UPDATE meta SET value = '{"otto":{}}' WHERE key = 'sources'`)
	_, err = l.Verify(t.Context(), nil)
	assert.ErrorIs(t, err, blocklist.ErrDamaged)
}
