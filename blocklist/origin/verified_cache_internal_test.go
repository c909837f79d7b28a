package origin

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// What was verified once is not verified again until it changes, however often strangers make the origin read it.
func TestVerifiedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, err := Init(dir)
	require.NoError(t, err)
	key, err := notekey.Parse(public)
	require.NoError(t, err)
	a := trusttest.NewAgency(t, key)
	o, err := Open(dir, Options{})
	require.NoError(t, err)
	_, err = o.Trust(a.Roots[0])
	require.NoError(t, err)
	first, err := o.load(a.List)
	require.NoError(t, err)
	again, err := o.load(a.List)
	require.NoError(t, err)
	assert.Same(t, first.root, again.root)

	forged := bytes.ReplaceAll(a.Roots[0], []byte(`"sig":"`), []byte(`"sig":"00`))
	require.NotEqual(t, a.Roots[0], forged)
	_, err = o.verified.root(a.List, forged)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
}
