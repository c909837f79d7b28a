package proposal_test

import (
	"fmt"
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
		switch {
		case f.Target == "":
			all = append(all, "?"+f.Text)
		case f.Sure:
			all = append(all, f.Target)
		}
	}
	return all
}

// An e-mail as it is pasted: what may be meant is found, too, and waits for a person. Header and signature are left out.
func TestFindInMail(t *testing.T) {
	t.Parallel()
	found, err := proposal.FindTargets(strings.NewReader(`Return-Path: <bounce@mailer.example>
Received: from mx.citizen.example (mx.citizen.example [192.0.2.9])
	by mx.agency.example; Mon, 30 Nov 2026 09:00:00 +0100
From: Ada <ada@citizen.example>
Subject: hxxp://subject[.]example
List-Unsubscribe: <https://mailer.example/u/1>

Good morning, please look at hxxp://worse[.]example/page and shop2.bad-shop.test.
Also shop2(dot)bad-shop(dot)test; htps:/typo.example/x, report.pdf and 198.51.100.7!

Best regards,
Ada
www.citizen.example
Other hxxp://worse[.]example/page
-- 
https://signature.example/
Tel. 06.555
> From: Bob <bob@other.example>
> A: the.first.example
> see https://quoted.example/
`))
	require.NoError(t, err)
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%d %s %s %t", f.Line, f.Text, f.Target, f.Sure))
		assert.Equal(t, f.Target == "", f.Why != "", f.Text)
	}
	assert.Equal(t, []string{
		"5 hxxp://subject[.]example https://subject.example/ true",
		"8 hxxp://worse[.]example/page https://worse.example/page true",
		"8 shop2.bad-shop.test shop2.bad-shop.test true",
		"9 htps:/typo.example/x  true",
		"9 198.51.100.7 198.51.100.7 false",
		"13 www.citizen.example www.citizen.example false",
		"19 the.first.example the.first.example false",
		"20 https://quoted.example/ https://quoted.example/ true",
	}, all)
	assert.Contains(t, found[3].Why, "do you mean https://typo.example/x?")
}

// One parser reads what people type: what was meant is said, and nothing is guessed in silence.
func TestParseTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"hxxps://bad[.]example/a ref=hxxp": "https://bad.example/a ref=hxxp", "bad.example/a ref=7": "https://bad.example/a ref=7",
		"bad[.]example": "bad.example", "[2001:db8::1]/x": "https://[2001:db8::1]/x", "bad.example//a": "https://bad.example/a",
		"bad.example:8080/x": "https://bad.example/x", "host": "host",
	} {
		e, err := proposal.ParseTarget(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, e.String())
	}
	for text, meant := range map[string]string{
		"htps:/bad.example/page": "https://bad.example/page", "http//bad.example": "https://bad.example", "http:bad.example": "https://bad.example",
		"http:bad.example/page": "https://bad.example/page", "hxxps:/bad[.]example/x": "https://bad.example/x", "https;//bad.example/x": "https://bad.example/x",
		`http:\\bad.example`: "https://bad.example", "hhtps://bad.example/x": "https://bad.example/x",
	} {
		_, err := proposal.ParseTarget(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.Contains(t, err.Error(), "do you mean "+meant+"?", text)
	}
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
	f.Add("From: a@b.example\nx-y: z\n\nhtps:/bad.example http//bad.example x.example\n-- \nx.example\n> y.example")
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
