package guard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range guard.BuiltIn() {
		assert.NotEmpty(t, e.Reference, "%s: a reason is needed", e)
		name, ok := e.Name()
		require.True(t, ok, "%s: only names", e)
		assert.False(t, seen[name.String()], "%s is there twice", e)
		seen[name.String()] = true
	}
	assert.Greater(t, len(seen), 150)
}

// The built-in names are protected by default, at the name and above it. A customer's name below, and a page, pass.
func TestBuiltInProtects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry string
		held  bool
	}{
		{"facebook.com", true},
		{"=facebook.com", true},
		{"www.facebook.com", true},
		{"=www.facebook.com", true},
		{"https://facebook.com/*", true},
		{"https://*.facebook.com/x", true},
		{"lencr.org", true},
		{"=r3.o.lencr.org", true}, // all names below that one are protected
		{"root-servers.net", true},
		{"usercontent.google.com", true}, // it is above drive.usercontent.google.com
		{"t.me", true},

		{"https://facebook.com/some.page", false},
		{"https://t.me/channel", false},
		{"=ads.facebook.com", false},
		{"customer.tumblr.com", false},
		{"=d111.cloudfront.net", false},
		{"example.org", false},
	} {
		found := newGuard(t, guard.Limits{}).Entry(parse(t, c.entry))
		protects := len(found) > 0 && found[0].Severity == guard.SeverityHold
		assert.Equal(t, c.held, protects, "%s: %v", c.entry, found)
		found = newGuard(t, guard.Limits{NoBuiltIn: true}).Entry(parse(t, c.entry))
		assert.NotContains(t, checks(found), guard.CheckProtect, c.entry)
	}
	for entry, check := range map[string]guard.Check{
		"com": guard.CheckLabel, "co.uk": guard.CheckSuffix, "github.io": guard.CheckPrivate, "cloudfront.net": guard.CheckProtect,
	} {
		assert.Equal(t, []guard.Check{check}, checks(newGuard(t, guard.Limits{}).Entry(parse(t, entry))), "%s: one reason", entry)
	}
	assert.Empty(t, newGuard(t, guard.Limits{}).Allow().Entry(parse(t, "facebook.com")))
	found := newGuard(t, guard.Limits{}).Entry(parse(t, "facebook.com"))
	require.Len(t, found, 1)
	assert.Equal(t, "it covers facebook.com, which is protected (platform of billions: Facebook), and 1 other", found[0].Why)
}

// A protected top-level domain protects all names below it, however deep.
func TestProtectedTopLevelDomain(t *testing.T) {
	t.Parallel()
	g := newGuard(t, guard.Limits{Protected: []blocklist.Entry{parse(t, "bank")}})
	assert.Equal(t, []guard.Check{guard.CheckProtect}, checks(g.Entry(parse(t, "=a.b.c.bank"))))
	assert.Empty(t, g.Entry(parse(t, "=a.bank.c.example")))
}

// An operator's own reason for a name that is built in, too, is the one that is shown.
func TestOwnReasonBeforeBuiltIn(t *testing.T) {
	t.Parallel()
	own := parse(t, `facebook.com ref="the ministry's page"`)
	found := newGuard(t, guard.Limits{Protected: []blocklist.Entry{own}}).Entry(parse(t, "ads.facebook.com"))
	require.Len(t, found, 1)
	assert.Equal(t, "facebook.com is protected, with all names below it (the ministry's page)", found[0].Why)
}

func TestString(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, `^protected: \d+ built-in names; popular: none; public suffixes: of 20..-..-..$`,
		newGuard(t, guard.Limits{}).String())
	limits := guard.Limits{
		NoBuiltIn: true, Protected: []blocklist.Entry{parse(t, "bank.example")},
		Popular: []guard.Popular{{Name: name(t, "video.example"), Rank: 1}},
	}
	assert.Regexp(t, `^protected: no built-in names, 1 other; popular: 1 name; public suffixes: of `, newGuard(t, limits).String())
}

func checks(found []guard.Finding) (all []guard.Check) {
	for _, f := range found {
		all = append(all, f.Check)
	}
	return all
}
