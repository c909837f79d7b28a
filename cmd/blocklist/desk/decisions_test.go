package desk_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// decided proposes targets, and decides on all of them in one step.
func (a *agency) decided(t *testing.T, verb proposal.Verb, author, reason string, targets ...string) {
	t.Helper()
	var all []proposal.Proposal
	for _, target := range targets {
		all = append(all, proposal.Proposal{Target: target, Source: "hotline"})
	}
	made, err := proposal.Propose(t.Context(), a.Ledger, all, audit, nil)
	require.NoError(t, err)
	d := proposal.Decision{Verb: verb}
	for _, p := range made {
		d.IDs = append(d.IDs, p.ID)
	}
	done, err := proposal.Decide(t.Context(), a.Ledger, d, publish.Audit{Author: author, Reason: reason})
	require.NoError(t, err)
	for _, one := range done {
		require.NoError(t, one.Err)
	}
}

// Afterwards it can be said who has refused, referred or taken back which proposal, when, and why: in the history, by search,
// at the entry and in the reports.
func TestDecisionsAreTold(t *testing.T) {
	t.Parallel()
	a := team(t)
	a.decided(t, proposal.Refuse, "marta", "An ordinary pharmacy", "pharmacy.example")
	a.decided(t, proposal.Refer, "rita", "to the platform's desk", "https://social.example/x")
	a.decided(t, proposal.Withdraw, "paola", "the hotline was wrong", "wrong.example")
	a.decided(t, proposal.Check, "paola", "looked at it", "checked.example")
	rita := a.as(t, "rita")
	for path, want := range map[string]string{
		"/history":                                 `\|Decision 2\|[^|]+\|proposal refused\|marta\|An ordinary pharmacy\|pharmacy\.example`,
		"/history?kind=proposal-refer":             `\|proposal referred\|rita\|to the platform's desk\|https://social\.example/x`,
		"/history?author=pa*&target=wrong.example": `\|proposal taken back\|paola\|the hotline was wrong\|wrong\.example`,
		"/history?reason=LOOKED":                   `\|proposal checked\|paola\|looked at it\|checked\.example`,
		"/search?q=ordinary+ph":                    `Operations and decisions with this reason, reference or author.*\|Decision 2\|[^|]+\|proposal refused\|marta\|`,
		"/entry?of=pharmacy.example":               `Decisions on proposals about it refused [-0-9: ]+UTC · marta · proposal 1 · hotline ?An ordinary pharmacy`,
		"/entry?of=www.wrong.example":              `never listed`,
		"/decision/2":                              `Decision 2 proposal refused.*marta.*An ordinary pharmacy.*\|1\|pharmacy\.example\|hotline`,
	} {
		assert.Regexp(t, want, rita.get(t, path).text, path)
	}
	for path, not := range map[string]string{
		"/history?kind=proposal-refer":  "pharmacy.example",
		"/history?kind=push":            "Decision",
		"/history?reason=marta":         "Decision",
		"/history?author=stranger":      "Decision",
		"/history?since=2099-01-01":     "Decision",
		"/history?target=other.example": "Decision",
	} {
		assert.NotContains(t, rita.get(t, path).text, "|"+not, path)
	}
	for path, want := range map[string]string{
		"/reports/" + time.Now().UTC().Format("2006-01"): `(?s)<h2>Decisions on proposals<.*>proposal refused<.*>marta<.*>An ordinary pharmacy<.*>pharmacy\.example `,
		"/entry/page?of=pharmacy.example":                `(?s)<h3>Decisions on proposals about it<.*>refused <.*>marta<.*>An ordinary pharmacy<`,
	} {
		assert.Regexp(t, want, rita.getAny(t, path).text, path)
	}
	assert.Equal(t, http.StatusNotFound, rita.get(t, "/decision/1").status, "it only proposes")
	assert.Equal(t, http.StatusNotFound, rita.get(t, "/decision/99").status)
	rita.post(t, "/preferences", fields("back", "/", "language", "it"))
	assert.Contains(t, rita.get(t, "/history").text, "|proposta respinta|marta|An ordinary pharmacy|")
}

// Operations and decisions are paged together, each once, newest first, also with a filter. A decision on many proposals has
// them all on its own page.
func TestDecisionsArePaged(t *testing.T) {
	t.Parallel()
	a := team(t)
	for i := range 40 {
		a.decided(t, proposal.Refuse, "marta", fmt.Sprint("Not for us, ", i), fmt.Sprintf("refused%d.example", i))
		a.list(t, fmt.Sprintf("listed%d.example", i))
	}
	var many []string
	for i := range 210 {
		many = append(many, fmt.Sprintf("many%d.example", i))
	}
	a.decided(t, proposal.Refuse, "rita", "all of one shop", many...)
	rita := a.as(t, "rita")
	for path, want := range map[string]int{"/history": 81, "/history?author=marta&reason=not+for": 40, "/history?reason=as": 40} {
		rows, pages := map[string]int{}, 0
		for next := path; next != ""; pages++ {
			p := rita.get(t, next)
			require.Equal(t, http.StatusOK, p.status)
			for _, row := range regexp.MustCompile(`\|\+?((?:refused|listed|many0)\d*)\.example`).FindAllStringSubmatch(p.text, -1) {
				rows[row[1]]++
			}
			next = ""
			for link := range p.links {
				if strings.HasPrefix(link, "/history?") && (strings.Contains(link, "before=") || strings.Contains(link, "decided=")) && strings.Contains(p.raw, `rel="next"`) {
					next = link
				}
			}
			require.Less(t, pages, 5)
		}
		for row, n := range rows {
			assert.Equal(t, 1, n, "%s has %s", path, row)
		}
		assert.Len(t, rows, want, path)
	}
	last := rita.get(t, "/history")
	assert.Regexp(t, `\|proposal refused\|rita\|all of one shop\|many0\.examplemany1\.examplemany2\.example ?and 207 more`, last.text)
	number := regexp.MustCompile(`Decision (\d+)\|[^|]+\|proposal refused\|rita`).FindStringSubmatch(last.text)
	require.NotNil(t, number)
	p := rita.get(t, "/decision/"+number[1])
	assert.Contains(t, p.text, "|many199.example|")
	assert.NotContains(t, p.text, "|many200.example|")
	assert.Contains(t, rita.get(t, "/decision/"+number[1]+"?skip=200").text, "|many209.example|")
}
