package desk_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// Readers share pages, and each sees their own name and what their role may do. A change by whomever is seen at once.
func TestSharedPages(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for name, role := range map[string]string{"rita": "reviewer", "rolf": "reviewer", "<b>c": "clerk", "dora": "reader"} {
		require.NoError(t, a.SetRole(t.Context(), name, role, audit))
	}
	a.openBehindProxy(t)
	for range 2 {
		for _, path := range []string{"/", "/entries", "/history", "/pending", "/proposals", "/proposals?mine=1", "/search?q=rolf"} {
			for name, role := range map[string]string{"rita": "reviewer", "rolf": "reviewer", "<b>c": "clerk", "dora": "reader"} {
				p := a.as(t, name).get(t, path)
				assert.Equal(t, http.StatusOK, p.status, path)
				assert.Contains(t, p.text, "Search "+name+" "+role+" What waits", path)
				assert.Equal(t, role == "reviewer", p.has("/people"), "%s of %s", path, name)
				assert.Equal(t, path == "/" && role != "reader", p.has("/add"), "%s of %s", path, name)
			}
		}
	}
	for i := range 5 {
		a.list(t, fmt.Sprintf("n%d.example", i))
		for _, name := range []string{"rita", "dora"} {
			assert.Contains(t, a.as(t, name).get(t, "/entries").text, fmt.Sprintf("n%d.example", i))
		}
	}
	require.NoError(t, a.SetRole(t.Context(), "dora", "", audit))
	assert.Equal(t, http.StatusForbidden, a.as(t, "dora").get(t, "/entries").status)
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	assert.Contains(t, a.as(t, "rita").get(t, "/pending").text, "anna not signed yet")
	a.sign(t)
	assert.Contains(t, a.as(t, "rita").get(t, "/pending").text, "anna signed")
}

// has reports whether a page leads to a path.
func (p page) has(path string) bool { return p.links[path] }

// What waits for a second person is not shown to the first one.
func TestOwnPages(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, name := range []string{"rita", "rolf"} {
		require.NoError(t, a.SetRole(t.Context(), name, publish.RoleReviewer, audit))
	}
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{{Target: "bad.example", Source: "hotline"}}, audit, nil)
	require.NoError(t, err)
	a.openBehindProxy(t)
	assert.NotContains(t, a.as(t, "rolf").get(t, "/proposals?mine=1").text, "bad.example")
	_, err = proposal.Decide(t.Context(), a.Ledger, proposal.Decision{Verb: proposal.Check, IDs: []int64{1}}, publish.Audit{Author: "rita"})
	require.NoError(t, err)
	for range 2 {
		assert.Contains(t, a.as(t, "rolf").get(t, "/proposals?mine=1").text, "bad.example")
		assert.NotContains(t, a.as(t, "rita").get(t, "/proposals?mine=1").text, "bad.example")
	}
}
