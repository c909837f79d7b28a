package desk_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// askUrgent asks for urgent orders: the page shows what they would be, and the second step makes them wait.
func (b *browser) askUrgent(t testing.TB, f url.Values) page {
	t.Helper()
	p := b.post(t, "/urgent", f)
	if p.values["seen"] == "" {
		return p
	}
	f.Set("seen", p.values["seen"])
	return b.post(t, "/urgent", f)
}

// decideEnding lets ending urgent orders end, or puts their targets into the list, after a look at what that would do.
func (b *browser) decideEnding(t testing.TB, verb string, f url.Values) page {
	t.Helper()
	f.Set("seen", b.get(t, "/urgent/"+verb).values["seen"])
	return b.post(t, "/urgent/"+verb, f)
}

// team is an agency with a published release, and a desk for several people, which publishes.
func team(t *testing.T) *agency {
	t.Helper()
	a := newAgencyOf(t, 1, "anna", "bruno")
	for name, role := range map[string]string{"paola": publish.RoleClerk, "marta": publish.RoleClerk, "rita": publish.RoleReviewer} {
		require.NoError(t, a.SetRole(t.Context(), name, role, audit))
	}
	a.list(t, "bad.example")
	a.release(t)
	a.openBehindProxy(t, func(o *desk.Options) {
		o.PushTo, o.Push = "ORIGIN", func(_ context.Context, _ string, bundle io.Reader) error {
			_, err := io.Copy(io.Discard, bundle)
			return err
		}
	})
	return a
}

// terminal asks the desk as an officer's terminal with a code does.
func (a *agency) terminal(t *testing.T, method, path, code, body string) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+code)
	return a.stranger(t).send(t, r)
}

// makeCode makes a one-time code, and returns it and the path of its page.
func (b *browser) makeCode(t *testing.T, what string) (code, path string) {
	t.Helper()
	p := b.post(t, "/code", fields("what", what))
	require.Equal(t, http.StatusOK, p.status, p.text)
	_, rest, _ := strings.Cut(p.text, "--code ")
	code, _, _ = strings.Cut(rest, " ")
	return code, p.path
}

// orderUrgently has urgent orders signed.
func (a *agency) orderUrgently(t *testing.T, b *browser, f url.Values) {
	t.Helper()
	require.Contains(t, b.askUrgent(t, f).text, "Asked for by")
	p := b.upload(t, a.signed(t, b.post(t, "/request", fields("what", "urgent")).raw))
	require.Equal(t, http.StatusOK, p.status, p.text)
}

// A second request joins the first. A code is good for the very bytes for which it was made.
func TestUrgentRequestsJoin(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, marta := a.as(t, "paola"), a.as(t, "marta")
	paola.askUrgent(t, fields("entries", "stream2.example", "reference", "night 2"))
	code, path := paola.makeCode(t, "urgent")
	require.Equal(t, http.StatusOK, a.terminal(t, "GET", "/terminal/request", code, "").status)

	p := marta.post(t, "/urgent", fields("entries", "stream3.example", "reference", "night 3"))
	assert.Contains(t, p.text, "It joins what paola asked for")
	p = marta.askUrgent(t, fields("entries", "stream3.example", "reference", "night 3"))
	assert.Contains(t, p.text, "Asked for by paola, marta.")
	assert.Contains(t, p.text, "stream2.example||night 2|")
	assert.Contains(t, p.text, "stream3.example||night 3|")

	for _, method := range []string{"GET /terminal/request", "POST /terminal/signature"} {
		verb, at, _ := strings.Cut(method, " ")
		p = a.terminal(t, verb, at, code, "{}")
		assert.Equal(t, http.StatusConflict, p.status)
		assert.Contains(t, p.raw, "as it was: that was signed, refused or replaced since")
	}
	assert.Contains(t, paola.get(t, path).text, "This code is no longer good")
	code, path = paola.makeCode(t, "urgent")
	signed := a.signed(t, a.terminal(t, "GET", "/terminal/request", code, "").raw)
	require.Equal(t, http.StatusOK, a.terminal(t, "POST", "/terminal/signature", code, signed).status)
	p = paola.get(t, path)
	assert.Contains(t, p.text, "anna has signed with this code. Nothing of it is in force until it is published.")
	assert.Contains(t, p.text, "This is done by a reviewer: rita.")
	rita := a.as(t, "rita")
	rita.askUrgent(t, fields("entries", "stream4.example", "reference", "night 4"))
	code, path = rita.makeCode(t, "urgent")
	signed = a.signed(t, a.terminal(t, "GET", "/terminal/request", code, "").raw)
	require.Equal(t, http.StatusOK, a.terminal(t, "POST", "/terminal/signature", code, signed).status)
	assert.Contains(t, rita.get(t, path).raw, `action="/urgent/push"`)
	rita.post(t, "/urgent/push", nil)
	assert.NotContains(t, rita.get(t, path).text, "Nothing of it is in force")
}

// A code for a release is of no use for the next state of it, nor for urgent orders.
func TestCodeIsForOneDocument(t *testing.T) {
	t.Parallel()
	a := team(t)
	rita := a.as(t, "rita")
	a.list(t, "worse.example")
	rita.post(t, "/release", nil)
	code, _ := rita.makeCode(t, "")
	rita.askUrgent(t, fields("entries", "stream.example"))
	urgent := a.signed(t, rita.post(t, "/request", fields("what", "urgent")).raw)
	p := a.terminal(t, "POST", "/terminal/signature", code, urgent)
	assert.Equal(t, http.StatusUnprocessableEntity, p.status, p.raw)
	assert.Contains(t, p.raw, "this is about something else")
	rita.post(t, "/urgent/cancel", fields("id", rita.get(t, "/urgent").values["id"]))
	a.list(t, "third.example")
	rita.post(t, "/release", nil)
	p = a.terminal(t, "GET", "/terminal/request", code, "")
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Contains(t, p.raw, "serial 2 as it was")
}

// With nothing else to release, urgent orders can be put into the list, or let end, all the same.
func TestUrgentOrdersAreKeptBeforeARelease(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	p := paola.askUrgent(t, fields("entries", "live.example\nlate.example"))
	assert.Contains(t, p.text, "Not in force yet: one officer's signature is missing")
	sign, cancel := strings.Index(p.raw, `action="/code"`), strings.Index(p.raw, `<details><summary>Cancel this request`)
	assert.True(t, 0 < sign && sign < cancel, "the way to cancel is the last")
	assert.NotContains(t, rita.get(t, "/urgent").text, "end with the next release", "no one has signed them")
	paola.upload(t, a.signed(t, paola.post(t, "/request", fields("what", "urgent")).raw))
	rita.post(t, "/urgent/push", nil)
	for _, path := range []string{"/urgent", "/pending"} {
		p := rita.get(t, path)
		assert.Contains(t, p.text, "Urgent orders that end with the next release", path)
		assert.Contains(t, p.text, "Put them into the list", path)
		assert.Contains(t, p.text, "Let them end", path)
	}
	const apart = "There is an urgent order on it, apart from the list: Urgent orders"
	assert.Contains(t, rita.get(t, "/entry?of=live.example").text, apart)
	assert.Contains(t, paola.post(t, "/withdraw", fields("entries", "live.example")).text, "It is not on the list. "+apart)
	for _, path := range []string{"/", "/due"} {
		assert.Contains(t, rita.get(t, path).text, "2 urgent orders end within 24 hours, and are not in the list", path)
	}
	rita.decideEnding(t, "end", fields("entries", "late.example", "reason", "it is over"))
	decided := rita.get(t, "/urgent").text
	assert.Contains(t, decided, "It would be unblocked", "the other one")
	assert.Contains(t, rita.get(t, "/").text, "1 urgent order ends within 24 hours, and is not in the list")
	p = paola.decideEnding(t, "keep", fields("entries", "live.example"))
	assert.Contains(t, p.text, "+live.example")
	assert.NotContains(t, rita.get(t, "/").text, "within 24 hours")
	decided = rita.get(t, "/urgent").text
	assert.Contains(t, decided, "It is decided that they end")
	assert.NotContains(t, decided, "It would be unblocked")
	assert.Contains(t, rita.get(t, "/due").text, "Nothing is due.")
	assert.NotContains(t, p.text, "Put them into the list")
	assert.Equal(t, http.StatusOK, rita.post(t, "/release", nil).status)
}

// No release made at the desk ends an urgent order by accident.
func TestReleaseKeepsUrgentOrders(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	a.orderUrgently(t, paola, fields("entries", "https://live.example/x\nlate.example", "reference", "night 9"))
	rita.post(t, "/urgent/push", nil)
	a.list(t, "worse.example")
	p := rita.get(t, "/pending")
	assert.Contains(t, p.text, "Urgent orders that end with the next release")
	assert.Contains(t, p.text, "https://live.example/x night 9")
	p = rita.post(t, "/release", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "Nothing was changed. The release would end urgent orders that are not in it.")
	assert.Contains(t, p.text, "Urgent orders that end with the next release")
	_, err := a.Pending()
	require.ErrorIs(t, err, publish.ErrNothingPending)

	assert.Equal(t, http.StatusForbidden, paola.post(t, "/urgent/end", fields("entries", "late.example", "reason", "over")).status)
	p = rita.decideEnding(t, "end", fields("entries", "late.example", "reason", "it is over"))
	assert.Contains(t, p.text, "may end")
	assert.Contains(t, paola.get(t, "/history?kind=end").text, "urgent orders allowed to end")
	assert.Contains(t, paola.get(t, "/history?kind=override").text, "No operation or decision fits.", "nothing was overridden")
	assert.NotContains(t, rita.get(t, "/urgent/end").text, "late.example", "the other one is left")
	p = paola.decideEnding(t, "keep", fields("entries", "https://live.example/x"))
	assert.Equal(t, "/pending?done=/urgent/keep", p.path)
	p = rita.post(t, "/release", nil)
	assert.Equal(t, http.StatusOK, p.status, p.text)
	assert.Contains(t, p.text, "+https://live.example/x")
	assert.Contains(t, p.text, "urgent orders apart from the release")
	assert.Contains(t, p.text, "these urgent orders end with the next release: late.example")
	_, path := rita.makeCode(t, "")
	a.sign(t)
	publishable := func(want bool) {
		t.Helper()
		for _, page := range []string{"/pending", path} {
			p := rita.get(t, page)
			assert.Equal(t, want, strings.Contains(p.text, "It can be published."), page)
			assert.Equal(t, want, strings.Contains(p.text, "Publish at ORIGIN"), page)
		}
	}
	publishable(true)
	a.orderUrgently(t, paola, fields("entries", "last.example"))
	publishable(false)
	p = rita.post(t, "/push", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, p.status, "one came after it was signed")
	assert.Contains(t, p.text, "last.example")
	assert.Contains(t, p.text, "Nothing was changed. The release would end urgent orders that are not in it.")
	rita.decideEnding(t, "end", fields("entries", "last.example", "reason", "over"))
	publishable(true)
	assert.Contains(t, rita.post(t, "/push", nil).text, "is published.")
}

// Urgent orders go from the request to the origin at the desk, and are found by their targets all the way.
func TestUrgentOrdersArePublished(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola, rita := a.as(t, "paola"), a.as(t, "rita")
	found := func(text string) {
		t.Helper()
		assert.Contains(t, paola.get(t, "/search?q=stream").text, "stream7.example night 7 "+text)
	}
	paola.askUrgent(t, fields("entries", "stream6.example", "reference", "night 6"))
	p := paola.get(t, "/urgent")
	assert.Equal(t, http.StatusConflict, paola.post(t, "/urgent/cancel", fields("id", "another")).status)
	p = paola.post(t, "/urgent/cancel", fields("id", p.values["id"], "reason", "typed wrongly"))
	assert.Contains(t, p.text, "No urgent order is in force.")
	assert.Contains(t, paola.get(t, "/history").text, "request of paola cancelled before anybody signed it: stream6.example")

	paola.askUrgent(t, fields("entries", "stream7.example", "reference", "night 7", "hours", "3"))
	found("not signed yet")
	paola.upload(t, a.signed(t, paola.post(t, "/request", fields("what", "urgent")).raw))
	found("signed, not published yet")
	p = paola.get(t, "/urgent")
	assert.Contains(t, p.text, "Signed, not yet at the origin: orders 1 on release 1")
	assert.NotContains(t, p.text, "In force: orders")
	assert.Contains(t, p.text, "This is done by a reviewer: rita.")
	assert.Regexp(t, `\|(3 h|2 h 59 min) `, p.text)
	assert.Contains(t, rita.get(t, "/").text, "Urgent orders are signed, and wait to be published")
	assert.Contains(t, rita.get(t, "/urgent").text, "Publish at ORIGIN")
	assert.Equal(t, http.StatusForbidden, paola.post(t, "/urgent/push", nil).status)
	p = rita.post(t, "/urgent/push", nil)
	assert.Contains(t, p.text, "Urgent orders 1 on release 1 are published.")
	assert.Contains(t, p.text, "In force: orders 1 on release 1")
	assert.NotContains(t, rita.get(t, "/urgent").text, "are published")
	found("in force")
	assert.NotContains(t, rita.get(t, "/").text, "wait to be published")
}

// More urgent orders than the root allows are refused with the numbers.
func TestTooManyUrgentOrders(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola := a.as(t, "paola")
	a.orderUrgently(t, paola, fields("entries", "1.example"))
	p := paola.post(t, "/urgent", fields("entries", "2.example\n3.example\n4.example\n5.example\n6.example"))
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "That would be 6 entries ordered urgently on release 1, with those that have ended; 5 are allowed.")
	assert.NotContains(t, p.text, "The signature does not fit")
}

// The form of urgent orders has the rules of the list, as the one of other orders has.
func TestUrgentOrdersKeepTheRules(t *testing.T) {
	t.Parallel()
	a := team(t)
	rules := publish.Rules{NeedReference: true, NeedReason: true, Categories: []string{"fraud", "streaming"}}
	require.NoError(t, a.SetRules(t.Context(), rules, audit))
	paola := a.as(t, "paola")
	p := paola.get(t, "/urgent")
	assert.Contains(t, p.raw, `<select name="category" required>`)
	assert.Regexp(t, `name="reference"[^>]* required`, p.raw)
	assert.Regexp(t, `name="reason"[^>]* required`, p.raw)
	p = paola.post(t, "/urgent", fields("entries", "stream.example", "category", "piracy", "reference", "1", "reason", "why"))
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "piracy")
	p = paola.post(t, "/urgent", fields("entries", "stream.example", "category", "streaming"))
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	p = paola.post(t, "/urgent", fields("entries", "stream.example", "category", "streaming", "reference", "1", "reason", "why", "hours", "x"))
	assert.Equal(t, http.StatusBadRequest, p.status)
	_, err := a.PendingUrgent(t.Context())
	require.ErrorIs(t, err, publish.ErrNothingPending)
	p = paola.askUrgent(t, fields("entries", "stream.example", "category", "streaming", "reference", "1", "reason", "why"))
	assert.Contains(t, p.text, "stream.example|streaming|1|")
}

// The preview of urgent orders says why they are asked for and when they end, which may be minutes away.
func TestUrgentPreview(t *testing.T) {
	t.Parallel()
	a := team(t)
	paola := a.as(t, "paola")
	for _, hours := range []string{"0.5", "0,5"} {
		before := time.Now().UTC().Truncate(time.Minute)
		p := paola.post(t, "/urgent", fields("entries", "www.stream2.example", "hours", hours, "reason", "the match is on"))
		ends := regexp.MustCompile(`www.stream2.exampleThe order ends ([-0-9]+ [:0-9]+) UTC · lasts 30 minReasonthe match is on`).FindStringSubmatch(p.text)
		require.NotNil(t, ends, p.text)
		at, err := time.Parse("2006-01-02 15:04", ends[1])
		require.NoError(t, err)
		assert.WithinRange(t, at, before.Add(30*time.Minute), time.Now().Add(30*time.Minute))
		assert.Contains(t, p.text, "Covers this name and all names below it, but not the site without www")
	}
	for _, hours := range []string{"0", "0.001", "-1", "NaN", "Inf", "-Inf", "1e9", "half", "05", "0x1", "1:30", "30 min", "25"} {
		p := paola.post(t, "/urgent", fields("entries", "www.stream2.example", "hours", hours))
		assert.Equal(t, http.StatusBadRequest, p.status, hours)
		assert.Contains(t, p.text, "“"+hours+"” is no number of hours: write 2 or 0.5, and at most 24.")
		assert.Regexp(t, `<input name="hours" inputmode="decimal"[^>]* value="`+regexp.QuoteMeta(hours)+`"[^>]* aria-invalid`, p.raw, "a number field of a browser drops the comma")
	}
	p := paola.post(t, "/add", fields("entries", "=www.stream2.example\nwww.example"))
	assert.Contains(t, p.text, "Covers this name alone, not the site without www")
	assert.Contains(t, p.text, "Covers the whole site and all names below it", "a site of the name www")
}

// Where a file of urgent orders is damaged, the other pages are shown, and the first one says which file it is.
func TestDamagedUrgentOrders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{filepath.Join("pending", "urgent.json"), filepath.Join("urgent", "65537.urgent.json")} {
		a := newAgency(t)
		a.list(t, "example.org")
		a.release(t)
		for i, line := range []string{"live.example", "wait.example"} {
			e, err := blocklist.ParseEntry(line)
			require.NoError(t, err)
			change := publish.UrgentChange{Add: []blocklist.Entry{e}}
			if i == 0 {
				_, err = a.SignUrgent(t.Context(), change, a.officers[0], audit)
			} else {
				_, err = a.PrepareUrgent(t.Context(), change, audit)
			}
			require.NoError(t, err)
		}
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), []byte("garbage"), 0o600))
		a.open(t)
		b := a.enter(t)
		for _, path := range []string{"/", "/entries", "/entry?of=live.example", "/history", "/due", "/proposals", "/search?q=example"} {
			assert.Equal(t, http.StatusOK, b.get(t, path).status, name+" "+path)
		}
		assert.Contains(t, b.get(t, "/").text, name+" is damaged")
	}
}

// The preview says of each entry that the guards hold why they do.
func TestUrgentPreviewSaysWhatIsHeld(t *testing.T) {
	t.Parallel()
	a := team(t)
	require.NoError(t, a.SetGuard(t.Context(), publish.GuardSettings{Protected: "bank.example\n"}, audit))
	p := a.as(t, "paola").post(t, "/urgent", fields("entries", "live.example\nco.uk\nbank.example"))
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "Stopped by the safety check: 2 findings")
	assert.Contains(t, p.text, "|co.uk||stopped The names below co.uk belong to many different owners.")
	assert.Contains(t, p.text, "|bank.example||stopped bank.example is protected.")
	assert.NotContains(t, p.text, "The safety check has stopped it.")
}
