package publish

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// TestCovering asks the library's own lookup which entries cover something: what it finds is among the covering targets,
// and what it does not find is not.
func TestCovering(t *testing.T) {
	t.Parallel()
	targets := strings.Fields(`example.org www.example.org =www.example.org =example.org org =org other.example
		https://www.example.org/ https://www.example.org/* https://www.example.org/a https://www.example.org/a/* https://www.example.org/a/b
		https://www.example.org/a/b/* https://www.example.org/a/b/c https://*.example.org/a/b https://*.example.org/* https://*.org/a/*
		https://*.www.example.org/a/b?y=2&x=1 https://www.example.org/a/b?x=1&y=2#any-order https://www.example.org/a/b?y=2&x=1
		https://www.example.org/a/b?x=1 https://www.example.org/a/
		192.0.2.1 192.0.2.0/24 192.0.0.0/8 198.51.100.0/24 2001:db8::1 2001:db8::/32 https://192.0.2.1/a https://[2001:db8::1]/*`)
	sets := map[string]*blocklist.Set{}
	for _, target := range targets {
		sets[target] = setOf(t, target)
	}
	for asked := range strings.FieldsSeq(`www.example.org example.org https://www.example.org/a/b?y=2&x=1 https://www.example.org/a/b
		https://www.example.org/ https://www.example.org/a/ 192.0.2.1 2001:db8::1 https://192.0.2.1/a?x https://[2001:db8::1]/a
		HTTP://WWW.EXAMPLE.ORG:8080/a/./b http://sub.www.example.org/a/b?y=2&x=1`) {
		s, err := readSubject(asked)
		require.NoError(t, err, asked)
		all := slices.Concat(s.own, s.covers)
		for _, target := range targets {
			e, err := blocklist.ParseEntry(target)
			require.NoError(t, err)
			_, found := sets[target].LookupHost(asked)
			assert.Equal(t, found, slices.Contains(all, e.Target()), "%s covers %s", target, asked)
		}
	}
}

// setOf returns a set with one entry.
func setOf(t *testing.T, line string) *blocklist.Set {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "set")
	one := func(yield func(blocklist.Entry, error) bool) { yield(e, nil) }
	require.NoError(t, blocklist.BuildSet(path, "it.example/test", one))
	set, err := blocklist.OpenSet(path)
	require.NoError(t, err)
	return set
}

func TestReadSubject(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"BÜCHER.example":                  "xn--bcher-kva.example",
		"www.example.com:8080":            "www.example.com",
		" example.com. ":                  "example.com",
		"=www.example.com":                "=www.example.com",
		"http://u:p@Example.com:8080/a/b": "https://example.com/a/b",
		"https://example.com/a/*":         "https://example.com/a/*",
		"https://*.example.com/a":         "https://*.example.com/a",
		"192.0.2.0/24":                    "192.0.2.0/24",
		"[2001:db8::1]:443":               "2001:db8::1",
	} {
		s, err := readSubject(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, s.name, text)
		assert.Equal(t, want, s.own[0], text)
		assert.NotContains(t, s.covers, want)
	}
	for _, text := range []string{"", "*", "exa mple.com", "https://", "192.0.2.1/24", "\x1b[2J", "a\nb.example"} {
		_, err := readSubject(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%q", text)
	}
	hosts, err := readSubject("https://a.b.example.com/x/y?q=1")
	require.NoError(t, err)
	assert.Less(t, len(hosts.covers), 100)
}

// TestKinds compares the kinds that a log can be asked for with those that the ledger has.
func TestKinds(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../internal/ledger/operation.go")
	require.NoError(t, err)
	var kinds []string
	for _, found := range regexp.MustCompile(`\n\tKind\w+ += "(\w+)"`).FindAllSubmatch(source, -1) {
		kinds = append(kinds, string(found[1]))
	}
	assert.ElementsMatch(t, kinds, Kinds())
}

// A person needs no 64 digits of a hash; a text that only looks like one stays.
func TestStatedReference(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0123456789abcdef", 4)
	assert.Equal(t, "step 5 0123456789ab", StatedReference(Operation{Kind: KindProposals, Reference: "step 5 " + hash}))
	assert.Equal(t, "findings 0123456789ab", StatedReference(Operation{Kind: KindOverride, Reference: "findings " + hash}))
	assert.Equal(t, "evidence "+hash, StatedReference(Operation{Kind: KindAdd, Reference: "evidence " + hash}))
	assert.Equal(t, "x"+hash, StatedReference(Operation{Kind: KindProposals, Reference: "x" + hash}))
}
