package desk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// An origin that does not answer is no list in use: waiting does not help.
func TestOriginDown(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t)
	a.open(t, func(o *desk.Options) {
		o.PushTo, o.Push = "ORIGIN", func(context.Context, string, io.Reader) error {
			return fmt.Errorf("the origin is %w: %w", blocklist.ErrUnavailable, context.DeadlineExceeded)
		}
	})
	b := a.enter(t)
	p := b.post(t, "/push", nil)
	assert.Equal(t, http.StatusServiceUnavailable, p.status)
	assert.Contains(t, p.text, "Not published The origin, from which subscribers fetch the list, does not answer.")
	assert.Contains(t, p.text, "must look at the origin")
	assert.NotContains(t, p.text, "in use")
	b.lang = "it"
	assert.Contains(t, b.post(t, "/push", nil).text, "Non pubblicata L'origine")
}
