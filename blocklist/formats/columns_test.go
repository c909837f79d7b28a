package formats_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// The caller says what the columns of a table are that have other names.
func TestNamedColumns(t *testing.T) {
	table := lines("Website;Aktenzeichen;gelöscht von;url", "https://a.example/x;7/26;anna;b.example", "https://c.example/y;8/26;;")
	columns := map[string]string{"website": "url", "Aktenzeichen": "ref", "Gelöscht von": formats.Ignored}
	all, _, err := read(t, table, formats.Options{Columns: columns})
	require.NoError(t, err)
	assert.Equal(t, []string{"https://a.example/x ref=7/26", "https://c.example/y ref=8/26"}, all)

	for name, c := range map[string]struct {
		o    formats.Options
		want string
	}{
		"no such column":     {formats.Options{Columns: map[string]string{"Site": "url"}}, `no column "site" in it; its columns are Website, Aktenzeichen, gelöscht von, url`},
		"no such meaning":    {formats.Options{Columns: map[string]string{"Website": "site"}}, "columns are read as url, host, domain, ip, category, ref,"},
		"no name":            {formats.Options{Columns: map[string]string{"": "url"}}, "columns are read as"},
		"another format":     {formats.Options{Columns: columns, Format: formats.Hosts}, "only a table has columns"},
		"one that may limit": {formats.Options{Columns: map[string]string{"Website": "url"}}, `column "gelöscht von" is not known`},
	} {
		_, _, err := read(t, table, c.o)
		require.ErrorIs(t, err, blocklist.ErrMalformed, name)
		assert.ErrorContains(t, err, c.want, name)
	}
}

// Each column that Columns returns is one that a table may have.
func TestColumnsAreKnown(t *testing.T) {
	for _, column := range formats.Columns() {
		_, err := formats.NewReader(strings.NewReader("domain,Other\na.example,\n"), formats.Options{Columns: map[string]string{"Other": column}})
		if err != nil {
			assert.NotContains(t, err.Error(), "columns are read as", column)
		}
	}
}
