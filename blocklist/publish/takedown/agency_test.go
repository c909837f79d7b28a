package takedown_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

var (
	cause    = publish.Audit{Author: "anna", Reason: "test", Reference: "order 2026/17"}
	override = publish.Audit{Author: "anna", Reason: "test", Override: "the guards know no test"}
)

// agency is a ledger with one officer.
type agency struct {
	*publish.Ledger
	dir string
}

func newAgency(t *testing.T) *agency {
	t.Helper()
	home := t.TempDir()
	public, err := keys.Generate(filepath.Join(home, "anna.key"), filepath.Join(home, "anna.pub"), "anna", "")
	require.NoError(t, err)
	online, err := keys.Generate(filepath.Join(home, "online.key"), filepath.Join(home, "online.pub"), "origin", "")
	require.NoError(t, err)
	a := &agency{dir: filepath.Join(home, "agency")}
	require.NoError(t, publish.Init(t.Context(), a.dir, publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: []string{public}, Threshold: 1, Author: "anna",
	}))
	a.open(t)
	return a
}

func (a *agency) open(t *testing.T) {
	t.Helper()
	var err error
	a.Ledger, err = publish.Open(a.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
}

func entry(t *testing.T, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e
}

func entries(t *testing.T, lines ...string) (all []blocklist.Entry) {
	t.Helper()
	for _, line := range lines {
		all = append(all, entry(t, line))
	}
	return all
}

func TestRecordNothing(t *testing.T) {
	t.Parallel()
	_, err := takedown.Record(t.Context(), newAgency(t).Ledger, nil, cause)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}
