package publish_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// What a refusal was about is told by what the program has recorded, whatever its officer writes.
func TestRefusalsByWhatWasRefused(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{
		"not this one",
		"it would end urgent orders 1 on serial 1: that must stay",
		"as before root 2, now again",
	} {
		a := urgentAgency(t)
		a.next(t, "example.com")
		p, err := a.Pending()
		require.NoError(t, err)
		require.NoError(t, a.Refuse(t.Context(), p, a.anna, publish.Audit{Reason: reason}))
		all, err := a.Refusals(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.False(t, all[0].Urgent, "%s: it was a release", reason)
		a.next(t, "example.net")
		all, err = a.Refusals(t.Context())
		require.NoError(t, err)
		assert.Empty(t, all, "%s: another release was made", reason)
	}
}
