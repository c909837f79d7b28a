package desk_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// Each role may do what it may, and nothing else. A page that needs a right is refused before it does anything.
func TestRights(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	all := append(publish.Roles(), "stranger")
	for _, role := range publish.Roles() {
		require.NoError(t, a.SetRole(t.Context(), role, role, audit))
	}
	a.openBehindProxy(t)
	readers, clerks := publish.Roles(), []string{publish.RoleClerk, publish.RoleReviewer}
	auditors, reviewers := []string{publish.RoleAuditor, publish.RoleReviewer}, []string{publish.RoleReviewer}
	for _, c := range []struct {
		method, path string
		fields       url.Values
		may          []string
	}{
		{"GET", "/", nil, readers},
		{"GET", "/entries", nil, readers},
		{"GET", "/entry?of=bad.example", nil, readers},
		{"GET", "/search?q=bad", nil, readers},
		{"GET", "/history", nil, readers},
		{"GET", "/operation/1", nil, readers},
		{"GET", "/pending", nil, readers},
		{"GET", "/urgent", nil, readers},
		{"GET", "/due", nil, readers},
		{"GET", "/subscribers", nil, readers},
		{"GET", "/platforms", nil, readers},
		{"GET", "/proposals", nil, readers},
		{"GET", "/reports", nil, auditors},
		{"GET", "/reports/2026-10", nil, auditors},
		{"GET", "/people", nil, auditors},
		{"GET", "/add", nil, clerks},
		{"POST", "/add", fields("entries", "a.example"), clerks},
		{"GET", "/withdraw", nil, clerks},
		{"POST", "/withdraw", fields("entries", "bad.example"), clerks},
		{"GET", "/propose", nil, clerks},
		{"POST", "/propose", fields("entries", "p.example", "source", "hotline"), clerks},
		{"POST", "/proposals/decide", fields("seen", "1:1", "verb", "check"), clerks},
		{"POST", "/proposals/decide", fields("seen", "1:1", "verb", "confirm"), reviewers},
		{"POST", "/urgent", fields("entries", "u.example"), clerks},
		{"GET", "/urgent/keep", nil, clerks},
		{"POST", "/urgent/keep", nil, clerks},
		{"GET", "/urgent/remove", nil, clerks},
		{"POST", "/urgent/remove", nil, clerks},
		{"GET", "/urgent/end", nil, reviewers},
		{"POST", "/urgent/end", nil, reviewers},
		{"POST", "/request", nil, clerks},
		{"POST", "/code", nil, clerks},
		{"POST", "/signatures", nil, clerks},
		{"POST", "/add", fields("entries", "a.example", "override", "why"), reviewers},
		{"POST", "/release", nil, reviewers},
		{"GET", "/pending/discard", nil, reviewers},
		{"POST", "/pending/discard", nil, reviewers},
		{"POST", "/push", nil, reviewers},
	} {
		for _, person := range all {
			before := a.head(t)
			r, err := http.NewRequestWithContext(t.Context(), c.method, a.server.URL+c.path, http.NoBody)
			require.NoError(t, err)
			var status int
			if b := a.as(t, person); c.method == http.MethodPost {
				status = b.post(t, c.path, c.fields).status
			} else {
				status = b.getAny(t, c.path).status
			}
			if slices.Contains(c.may, person) {
				assert.NotEqual(t, http.StatusForbidden, status, "%s: %s %s", person, c.method, r.URL)
			} else {
				assert.Equal(t, http.StatusForbidden, status, "%s: %s %s", person, c.method, r.URL)
				assert.Equal(t, before.ID, a.head(t).ID, "%s: %s", person, c.path)
			}
		}
	}
}

// As long as no one has a role, the account that has started a desk may do everything; then its role counts.
func TestOwner(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	assert.Equal(t, http.StatusOK, b.get(t, "/add").status)
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	assert.Equal(t, http.StatusForbidden, b.get(t, "/add").status)
	assert.Equal(t, http.StatusForbidden, b.get(t, "/").status)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleReader, audit))
	assert.Equal(t, http.StatusOK, b.get(t, "/").status)
	assert.Equal(t, http.StatusForbidden, b.get(t, "/add").status)
}
