package desk_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// strict has the office's list ask for a reason, a reference of a form, and one of two categories.
func strict(t *testing.T, a *agency) {
	t.Helper()
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{
		NeedReason: true, NeedReference: true, Reference: `Ord\. \d+/\d{4}`, Categories: []string{"fraud", "gambling"},
	}, audit))
}

// An order that breaks a rule: the person reads in their language which one, at its field, and what is expected.
func TestRuleAtItsField(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	strict(t, a)
	carla.lang = "it"
	right := fields("entries", "bad.example", "reason", "come da ordine", "reference", "Ord. 7/2026", "category", "fraud")
	for _, c := range []struct{ field, value, says string }{
		{"reason", "", "Le regole della lista richiedono un motivo."},
		{"reference", "", "bad.example: Le regole della lista richiedono un riferimento."},
		{"reference", "abc", `bad.example: Il riferimento “abc” non ha la forma richiesta dalle regole della lista: Ord\. \d+/\d{4}`},
		{"category", "", "bad.example: Le regole della lista richiedono una categoria tra: fraud, gambling"},
		{"category", "gamblin", "bad.example: La categoria “gamblin” non è tra quelle della lista. Intendi gambling?"},
	} {
		wrong := fields()
		for name := range right {
			wrong.Set(name, right.Get(name))
		}
		wrong.Set(c.field, c.value)
		p := carla.post(t, "/add", wrong)
		assert.Equal(t, http.StatusUnprocessableEntity, p.status, c)
		assert.Contains(t, p.text, c.says)
		assert.NotContains(t, p.text, "--re")
		assert.Regexp(t, `<(input|select) name="`+c.field+`"[^>]* aria-invalid="true" aria-describedby="problem" autofocus`, p.raw)
	}
	p := carla.get(t, "/add")
	for _, name := range []string{"reason", "reference", "category"} {
		assert.Regexp(t, `name="`+name+`"[^>]* required`, p.raw)
	}
	assert.Contains(t, p.raw, `pattern="Ord\. \d&#43;/\d{4}"`)
	assert.Contains(t, p.text, `Forma prevista: Ord\. \d+/\d{4}`)
	assert.NotEmpty(t, carla.post(t, "/add", right).values["head"])
}

// The form of a withdrawal asks for what the rules ask of an order: a reason, and the reference of the decision.
func TestWithdrawalNeedsWhatRulesAsk(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	assert.NotRegexp(t, `required`, carla.get(t, "/withdraw").raw)
	const noReason = "No reason is given: the history would not say why."
	a.list(t, "bad.example")
	withdrawal := fields("entries", "bad.example")
	assert.Contains(t, carla.post(t, "/withdraw", withdrawal).text, noReason, "the rules don't ask for one")
	assert.Contains(t, carla.post(t, "/add", fields("entries", "new.example")).text, noReason)
	withdrawal.Set("reason", "it was cleaned")
	assert.NotContains(t, carla.post(t, "/withdraw", withdrawal).text, noReason)
	none := carla.post(t, "/withdraw", fields("decision", "order 2026/1"))
	assert.Contains(t, none.text, "No entry is named. Name the entries; to withdraw all entries of an order")
	assert.Contains(t, none.raw, "<details open><summary>One order only")
	strict(t, a)
	p := carla.get(t, "/withdraw")
	for _, name := range []string{"reason", "decision"} {
		assert.Regexp(t, `name="`+name+`"[^>]* required`, p.raw)
	}
	assert.NotRegexp(t, `name="reference"[^>]* required`, p.raw, "all orders may be meant")
	assert.Contains(t, p.text, "What the rules of the list ask of an order is needed here, too.")
}

// A confirmation asks for what the rules need and the proposals lack, and says at which field it is missing. Other
// decisions do not need it.
func TestConfirmationNeedsWhatRulesAsk(t *testing.T) {
	t.Parallel()
	a, carla, rita := office(t)
	strict(t, a)
	p := carla.propose(t, fields("entries", "bad.example", "source", "hotline", "reference", "abc"))
	assert.Contains(t, p.text, "It can't be confirmed like this: bad.example: The reference “abc” does not have the form")
	assert.Regexp(t, `name="reference"[^>]* pattern=`, carla.get(t, "/propose").raw)
	carla.post(t, "/proposals/decide", fields("seen", carla.get(t, "/proposal/1").values["seen"], "verb", "check"))
	p = rita.get(t, "/proposal/1")
	assert.Contains(t, p.text, "Reason (needed to confirm and to refuse)")
	assert.Regexp(t, `<select name="category" required>`, p.raw)
	assert.NotRegexp(t, `name="reference"[^>]* required`, p.raw, "the proposal has one")
	assert.Contains(t, p.raw, `value="refuse" formnovalidate`)
	assert.NotRegexp(t, `required`, carla.get(t, "/proposal/1").raw, "a clerk does not confirm")
	f := fields("seen", p.values["seen"], "verb", "confirm", "category", "fraud", "reference", "Ord. 1/2026")
	p = rita.post(t, "/proposals/decide", f)
	assert.Contains(t, p.text, "not done: “Confirm: it counts” The rules of the list ask for a reason.")
	assert.Regexp(t, `<input name="reason"[^>]* aria-invalid="true"`, p.raw)
	f.Set("reason", "as ordered")
	assert.Contains(t, rita.post(t, "/proposals/decide", f).text, "done listed")
}

// What is typed beside a pasted e-mail counts when its targets are examined.
func TestPastedMailWithReference(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	strict(t, a)
	mail := fields("entries", "Please look at ok.example.org and two.example.org.", "source", "a mail", "category", "fraud")
	assert.Contains(t, carla.post(t, "/propose", mail).text, "ok.example.org: The rules of the list ask for a reference.")
	mail.Set("reference", "Ord. 1/2026")
	assert.NotContains(t, carla.post(t, "/propose", mail).text, "The rules of the list")
}
