package proposal_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

func targets(t testing.TB, text string) (all []string) {
	t.Helper()
	found, err := proposal.FindTargets(strings.NewReader(text))
	require.NoError(t, err)
	for _, f := range found {
		if f.Target != "" {
			all = append(all, f.Target)
		} else {
			all = append(all, "?"+f.Text)
		}
	}
	return all
}

func TestFindTargets(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Please look at https://t.me/channel.":                       {"https://t.me/channel"},
		"see hxxps://bad[.]example/a, and hXXp://other(.)example/b;": {"https://bad.example/a", "https://other.example/b"},
		"https[:]//bad.example/x":                                    {"https://bad.example/x"},
		"hxxps[://]bad[dot]example/x":                                {"https://bad.example/x"},
		"h**ps://bad{.}example/x":                                    {"https://bad.example/x"},
		"the site bad[.]example":                                     {"bad.example"},
		"the page bad[.]example/a/b":                                 {"https://bad.example/a/b"},
		"the site bad.example is bad":                                nil,
		"bad.example":                                                {"bad.example"},
		"> - bad.example\r\n":                                        {"bad.example"},
		" 12. sub.bad.example/x":                                     {"https://sub.bad.example/x"},
		"go to www.bad.example now":                                  {"www.bad.example"},
		"report.pdf":                                                 nil,
		"Mario Rossi <mario@police.example>, tel. 06.555":            nil,
		"mario@police.example":                                       nil,
		"mailto:mario@bad[.]example":                                 nil,
		"192.0.2.7":                                                  {"192.0.2.7"},
		"version 192.0.2.7 of it":                                    nil,
		"the server 192[.]0[.]2[.]7":                                 {"192.0.2.7"},
		"[here](https://bad.example/a_(b))":                          {"https://bad.example/a_(b)"},
		"(see https://bad.example/a)":                                {"https://bad.example/a"},
		`<a href="https://bad.example/a">`:                           {"https://bad.example/a"},
		"URL:https://bad.example/a":                                  {"https://bad.example/a"},
		"https://a.example/x,https://b.example/y":                    {"https://a.example/x", "https://b.example/y"},
		"https://a.example/x,y;z":                                    {"https://a.example/x,y;z"},
		"https://a.example/?u=https://b.example/":                    {"https://a.example/?u=https://b.example/"},
		"a[.]example,b[.]example":                                    {"a.example", "b.example"},
		"https://app.example/#/profile/7":                            {"?https://app.example/#/profile/7"},
		"https://bad.example/a https://BAD.example/a":                {"https://bad.example/a"},
		"https://bücher.example/ß":                                   {"https://xn--bcher-kva.example/%C3%9F"},
		"https://bad.example/\u202egnp.exe":                          {"https://bad.example/%E2%80%AEgnp.exe"},
		"'https://bad.example/a'":                                    {"https://bad.example/a"},
		"e.g. this, i.e. that. And 3.5 of U.S.A.":                    nil,
		"co.uk": {"co.uk"},
	} {
		assert.Equal(t, want, targets(t, text), "%q", text)
	}
	_, err := proposal.FindTargets(strings.NewReader(strings.Repeat("x", proposal.MaxText+1)))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

func FuzzFindTargets(f *testing.F) {
	f.Add("see hxxps://bad[.]example/a, and\n> bad(.)example")
	f.Add("[here](https://bad.example/a_(b)) h**p[:]//x[dot]y")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := proposal.FindTargets(strings.NewReader(text))
		if err != nil {
			t.Skip()
		}
		for _, one := range found {
			if one.Target == "" {
				require.NotEmpty(t, one.Why)
				continue
			}
			e, err := blocklist.ParseEntry(one.Target)
			require.NoError(t, err)
			require.Equal(t, one.Target, e.Target())
			require.Contains(t, strings.ToValidUTF8(text, " "), one.Text)
		}
	})
}

func TestReadTable(t *testing.T) {
	t.Parallel()
	read := func(text string, columns map[string]string) (all []proposal.Proposal, bad []string) {
		for p, err := range proposal.ReadTable(strings.NewReader(text), columns) {
			if err != nil {
				bad = append(bad, err.Error())
				continue
			}
			all = append(all, p)
		}
		return all, bad
	}
	all, bad := read("\xef\xbb\xbfURL;Date;Category;ref\nhxxp://bad[.]example/a;3.10.2026;csam;17\n\nbad.example;2026-10-04;;\nno name;;;\nx.example;yesterday;;\n;;;\n",
		map[string]string{"target": "url", "received": "Date", "reference": "REF"})
	require.Len(t, all, 2)
	assert.Equal(t, "hxxp://bad[.]example/a 2026-10-03 csam 17", strings.Join([]string{all[0].Target, all[0].Received.Format("2006-01-02"), all[0].Category, all[0].Reference}, " "))
	assert.Equal(t, "bad.example", all[1].Target)
	require.Len(t, bad, 3)
	for i, why := range []string{"line 5: ", "line 6: time \"yesterday\"", "line 7: malformed: there is no target"} {
		assert.Contains(t, bad[i], why)
	}
	for text, why := range map[string]string{
		"URL\nx.example\n":           `there is no column "target"`,
		"":                           `there is no column "target"`,
		"target,target\nx.example\n": "is there twice",
		"target\n\"x\"y\n":           "line 2",
	} {
		_, bad := read(text, nil)
		require.Len(t, bad, 1, text)
		assert.Contains(t, bad[0], why)
	}
	_, bad = read("target\n", map[string]string{"colour": "Farbe"})
	assert.Contains(t, bad[0], `no field "colour"`)
}

func FuzzReadTable(f *testing.F) {
	f.Add("target;received\nhxxp://bad[.]example;3.10.2026\n")
	f.Fuzz(func(t *testing.T, text string) {
		for p, err := range proposal.ReadTable(strings.NewReader(text), nil) {
			if err == nil {
				_, err := proposal.ParseTarget(p.Target)
				require.NoError(t, err)
			}
		}
	})
}

// A table that was written is read again, and no cell of it is a formula.
func TestWriteTable(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	propose(t, l, proposal.Proposal{Target: "=www.bad.example", Source: "=cmd|x", Reference: "+1;=2", Note: "a \"note\", long", Category: "csam", Key: "@k"},
		proposal.Proposal{Target: "192.0.2.1", Source: "hotline", Withdraw: true})
	var b strings.Builder
	require.NoError(t, proposal.WriteTable(&b, proposal.All(t.Context(), l, proposal.Filter{Oldest: true})))
	for _, cell := range []string{"\n1,new,,'=www.bad.example,'=cmd|x,,", ",csam,'+1;'=2,,", `,"a ""note"", long",,'@k,`, "\n2,new,yes,192.0.2.1,hotline,,"} {
		assert.Contains(t, b.String(), cell)
	}
	var targets []string
	for p, err := range proposal.ReadTable(strings.NewReader(b.String()), nil) {
		require.NoError(t, err)
		targets = append(targets, p.Target)
	}
	assert.Equal(t, []string{"=www.bad.example", "192.0.2.1"}, targets)
	assert.ErrorIs(t, proposal.WriteTable(&b, proposal.All(t.Context(), l, proposal.Filter{States: []string{"old"}})), blocklist.ErrMalformed)
}
