package desk_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// A program sends reports with its token, and without a session.
func TestReportsWithAToken(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	token, err := proposal.NewToken(t.Context(), a.Ledger, "hotline", publish.Audit{Author: "anna"})
	require.NoError(t, err)
	for given, want := range map[string]string{token: `"id":1`, "argine-other": "the token does not count"} {
		body := `{"target": "hxxps://bad[.]example/page", "note": "` + strings.Repeat("x", 4000) + `"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.server.URL+"/api/reports",
			strings.NewReader("["+strings.Repeat(body+",", 20)+body+"]"))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+given)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Contains(t, string(text), want)
	}
	page, err := proposal.List(t.Context(), a.Ledger, proposal.Filter{})
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.Equal(t, "hotline", page[0].Source)
}
