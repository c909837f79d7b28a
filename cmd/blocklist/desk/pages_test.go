package desk_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

func TestDue(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	soon := time.Now().AddDate(0, 0, 9).Format(time.DateOnly)
	a.list(t, "b.example review=2020-01-02", "c.example expires="+soon, "d.example expires=2099-01-02")
	past, err := blocklist.ParseEntry("a.example expires=2020-01-02")
	require.NoError(t, err)
	_, err = a.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) { yield(past, nil) }, audit, nil)
	require.NoError(t, err)
	a.open(t)
	b := a.enter(t)
	for what, want := range map[string]string{"review": "b.example", "expired": "a.example", "expiring": "c.example"} {
		p := b.get(t, "/due?what="+what)
		assert.Equal(t, 1, rows(p, 5), p.text)
		assert.Contains(t, p.text, "|"+want+"|")
	}
	p := b.get(t, "/due?sort=-target")
	assert.Equal(t, 3, rows(p, 5))
	assert.Less(t, strings.Index(p.text, "c.example"), strings.Index(p.text, "a.example"))
	assert.Equal(t, http.StatusBadRequest, b.get(t, "/due?sort=colour").status)
	assert.Equal(t, http.StatusBadRequest, b.get(t, "/due?skip=-3").status)
	assert.Equal(t, http.StatusOK, b.get(t, "/due?skip=9999999999999").status)
	assert.Contains(t, b.get(t, "/").text, "1 order is to be reviewed")
}

// release makes, signs and pushes a release.
func (a *agency) release(t testing.TB) publish.ReleaseInfo {
	t.Helper()
	_, err := a.Override(t.Context(), publish.Audit{Author: "anna", Reason: "the guards know no test"})
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t)
	_, err = a.Push(t.Context(), func(_ context.Context, _ string, b io.Reader) error {
		_, err := io.Copy(io.Discard, b)
		return err
	}, publish.Audit{Author: "anna", Reason: "ORIGIN"})
	require.NoError(t, err)
	var last publish.ReleaseInfo
	for r, err := range a.Releases(t.Context(), 1) {
		require.NoError(t, err)
		last = r
	}
	return last
}

func TestSubscribers(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	r := a.release(t)
	r.Pushed = r.Created.Add(2 * time.Hour) // the officers took their time
	db, err := sql.Open("sqlite", filepath.Join(a.dir, "ledger.db"))
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `UPDATE releases SET pushed = ?`, r.Pushed.Format(time.RFC3339))
	require.NoError(t, errors.Join(err, db.Close()))
	said := &report.Receipts{From: "ORIGIN", Subscribers: []string{"fast.example", "differs.example", "old.example", "<b>never</b>"}}
	say := func(holder, digest string, after time.Duration) {
		said.Statements = append(said.Statements, receipt.Statement{Holder: holder, Receipt: receipt.Receipt{
			List: a.List(), Serial: r.Serial, Digest: digest, Enforced: r.Pushed.Add(after),
		}})
	}
	say("fast.example", r.SignedDigest, 7*time.Second)
	say("differs.example", strings.Repeat("ab", 32), 7*time.Second)
	say("old.example", r.SignedDigest, -time.Hour)
	a.open(t, func(o *desk.Options) {
		o.Deadline = time.Hour
		o.Receipts = func(context.Context, *publish.Ledger) (*report.Receipts, error) { return said, nil }
	})
	b := a.enter(t)
	p := b.get(t, "/subscribers")
	assert.Contains(t, p.text, "|differs.example|differs|1|")
	assert.Contains(t, p.text, "|fast.example|enforces|1|")
	assert.Contains(t, p.text, "|7 s", "time begins with the publication")
	assert.Regexp(t, `\|old.example\|enforces\|1\|[^|]*\|not known`, p.text, "the ledger has a later publication than the subscriber")
	assert.Contains(t, p.text, "|<b>never</b>|no receipt yet|–|–|–")
	assert.Contains(t, p.text, "Receipts as of "+time.Now().UTC().Format(time.DateOnly))
	assert.Less(t, strings.Index(p.text, "differs.example"), strings.Index(p.text, "fast.example"), "what needs a person comes first")
	assert.Contains(t, p.raw, "<circle")
	month := b.getAny(t, "/reports/"+time.Now().UTC().Format("2006-01"))
	assert.Contains(t, month.text, "fast.example")
	assert.Contains(t, b.get(t, "/reports").text, time.Now().UTC().Format("2006-01"))
	assert.Equal(t, http.StatusBadRequest, b.get(t, "/reports/october").status)

	lost := newAgency(t)
	lost.open(t, func(o *desk.Options) {
		o.Receipts = func(context.Context, *publish.Ledger) (*report.Receipts, error) {
			return nil, errors.New("the origin is away")
		}
	})
	b = lost.enter(t)
	p = b.get(t, "/subscribers")
	assert.Equal(t, http.StatusOK, p.status)
	assert.Contains(t, p.text, "the origin is away")
	lost.list(t, "bad.example")
	lost.release(t)
	for _, path := range []string{"/reports/" + time.Now().UTC().Format("2006-01"), "/entry/page?of=bad.example"} {
		p = b.getAny(t, path)
		require.Equal(t, http.StatusOK, p.status, path)
		assert.Contains(t, p.text, "The receipts could not be read when this page was made", path)
		assert.Contains(t, p.text, "the origin is away", path)
		assert.Contains(t, p.text, "bad.example", path)
	}
}

// While the pages of a long list are counted, readers are asked to wait, and the page comes by itself.
func TestPlatformsAreCounted(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "https://social.example/user/7")
	a.open(t)
	b, done := a.enter(t), a.desk.Counting()
	p := b.get(t, "/platforms")
	assert.Equal(t, http.StatusOK, p.status)
	assert.Contains(t, p.text, "The pages of the list are being counted.")
	assert.NotEmpty(t, p.header.Get("Refresh"))
	done()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Contains(c, b.get(t, "/platforms").text, "social.example")
	}, time.Minute, 100*time.Millisecond)
	done = a.desk.Counting()
	a.list(t, "https://video.example/x")
	p = b.get(t, "/platforms")
	assert.Contains(t, p.text, "its pages are being counted again")
	assert.Contains(t, p.text, "|social.example|1|", "the numbers of before")
	assert.NotEmpty(t, p.header.Get("Refresh"))
	done()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		p := b.get(t, "/platforms")
		assert.Contains(c, p.text, "|video.example|1|")
		assert.NotContains(c, p.text, "counted again")
	}, time.Minute, 100*time.Millisecond)
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.open(t)
	b := a.enter(t)
	assert.Contains(t, b.whole(t, "/platforms").text, "No page (URL) is listed")
	done := a.desk.Counting()
	a.list(t, "https://social.example/user/7", "https://social.example/user/8", "https://video.example/x")
	p := b.get(t, "/platforms")
	assert.Contains(t, p.text, "its pages are being counted again")
	assert.NotContains(t, p.text, "No page (URL) is listed")
	done()
	p = b.whole(t, "/platforms")
	assert.Contains(t, p.text, "|social.example|2|2|0|0|2|0|0|")
	assert.Contains(t, p.text, "|together|3|")
}

// What one person checks, another one confirms; a decision about what has changed since is refused.
func TestProposals(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleReviewer, audit))
	require.NoError(t, a.SetRole(t.Context(), "rita", publish.RoleReviewer, audit))
	a.openBehindProxy(t)
	carla, rita := a.as(t, "carla"), a.as(t, "rita")
	p := carla.propose(t, fields("entries", "bad.example\nworse.example", "source", "hotline", "reference", "case 7"))
	assert.Contains(t, p.text, "1 bad.example recorded")
	assert.Contains(t, carla.propose(t, fields("entries", "htps:/bad.example", "source", "hotline")).text, "rejected")
	assert.Contains(t, carla.get(t, "/").text, "2 new proposals wait for a first look")
	p = carla.get(t, "/proposals")
	assert.Contains(t, p.text, "|bad.example|new||hotline|case 7|")
	p = carla.get(t, "/proposals/review?id=1&id=2")
	assert.Contains(t, p.text, "worse.example")
	p = carla.post(t, "/proposals/decide", fields("seen", "1:1", "verb", "check", "reason", "I have looked"))
	assert.Contains(t, p.text, "done checked")
	assert.NotContains(t, carla.get(t, "/proposal/2").text, "Confirm: it counts", "it was not checked")
	p = carla.get(t, "/proposal/1")
	assert.Contains(t, p.text, "Confirm: it counts")
	assert.NotContains(t, p.text, "Check: it should count")
	assert.Contains(t, p.text, "carla has checked it: somebody else must confirm it.")
	seen := p.values["seen"]
	p = carla.post(t, "/proposals/decide", fields("seen", seen, "verb", "confirm"))
	assert.Equal(t, http.StatusConflict, p.status)
	assert.Contains(t, p.text, "another person must confirm: carla has checked it; ask a colleague to confirm it")
	assert.Contains(t, p.text, "a colleague who is a reviewer finds it under “To be confirmed”")
	assert.NotContains(t, carla.get(t, "/proposals?mine=1").text, "|bad.example|")
	assert.Contains(t, rita.get(t, "/proposals?mine=1").text, "|bad.example|")
	p = rita.post(t, "/proposals/decide", fields("seen", "1:1", "verb", "confirm"))
	assert.Contains(t, p.text, "It was changed since you looked at it: look again, then decide. checked Checked · carla")
	p = rita.post(t, "/proposals/decide", fields("seen", seen, "verb", "confirm", "reason", "so have I"))
	assert.Equal(t, http.StatusOK, p.status)
	assert.Equal(t, "rita", a.head(t).Author)
	_, listed, err := a.Lookup(t.Context(), "bad.example")
	require.NoError(t, err)
	assert.True(t, listed)
	p = rita.get(t, "/proposal/1")
	assert.Contains(t, p.text, "Confirmed · ")
	assert.NotContains(t, p.text, "Refuse", "it is decided")
	assert.Contains(t, rita.get(t, "/proposals?state=listed").raw, `href="/proposals.csv?state=listed"`)
	p = rita.get(t, "/proposals.csv?state=listed")
	assert.Equal(t, `attachment; filename="proposals.csv"`, p.header.Get("Content-Disposition"))
	assert.Contains(t, p.raw, "\n1,listed,,bad.example,hotline,")
	assert.NotContains(t, p.raw, "worse.example")
	for path, status := range map[string]int{"/proposal/99": 404, "/proposal/x": 400, "/proposals/review": 400, "/proposals?after=x": 400, "/proposals.csv?state=x": 400} {
		assert.Equal(t, status, rita.get(t, path).status, path)
	}
	assert.Equal(t, http.StatusBadRequest, rita.post(t, "/proposals/decide", fields("verb", "check")).status)
	assert.Equal(t, http.StatusBadRequest, rita.post(t, "/proposals/decide", fields("seen", "2:1", "verb", "dance")).status)
}
