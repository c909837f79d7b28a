package formats_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// In an allow file, an exception is what the file says, and so is a plain line.
func TestAllowFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		want    []string
		skipped []string
	}{
		"exceptions":          {lines("! links", "@@||t.shop.example^", "@@||go.link.example^$important", "@@||a.example^|"), []string{"t.shop.example", "go.link.example", "a.example"}, nil},
		"rules":               {lines("[Adblock]", "||a.example^", "||b.example^"), []string{"a.example", "b.example"}, nil},
		"names":               {lines("a.example", "b.example", "192.0.2.1"), []string{"a.example", "b.example", "192.0.2.1"}, nil},
		"for some cases only": {lines("@@||a.example^", "@@||b.example^$third-party", "@@||c.example/page"), []string{"a.example"}, []string{"exception for some cases only, unsupported: 2 @ [2 3]"}},
		"a zone": {
			lines("@ SOA a. b. 1 2 3 4 5", "a.example CNAME rpz-passthru.", "*.a.example CNAME rpz-passthru.", "b.example CNAME rpz-passthru.", "32.1.2.0.192.rpz-ip CNAME rpz-passthru."),
			[]string{"a.example", "=b.example", "192.0.2.1"},
			nil,
		},
		"unbound": {lines(`local-zone: "a.example" always_transparent`), []string{"a.example"}, nil},
		"dnsmasq": {lines(`server=/a.example/#`), []string{"a.example"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			entries, skipped, err := read(t, tt.text, formats.Options{Allow: true})
			require.NoError(t, err)
			assert.Equal(t, tt.want, entries)
			assert.Equal(t, tt.skipped, skipped)
		})
	}
}

// A file with both kinds of lines could mean either.
func TestAllowFilesAreNotMixed(t *testing.T) {
	for _, text := range []string{
		lines("! links", "@@||t.shop.example^", "@@||go.link.example^$important", "||x.example^"),
		lines("@ SOA a. b. 1 2 3 4 5", "a.example CNAME .", "b.example CNAME rpz-passthru."),
	} {
		_, _, err := read(t, text, formats.Options{Allow: true})
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, "an allow file with exceptions")
	}
}
