package publish_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// end lets urgent orders end with the next release.
func (a *agency) end(t *testing.T, targets ...string) {
	t.Helper()
	require.NoError(t, a.EndUrgent(t.Context(), targets, cause))
}

// ending returns the targets of the urgent orders that end with a release and are not in it.
func (a *agency) ending(t *testing.T, p *publish.Pending) (targets []string) {
	t.Helper()
	all, err := a.Ending(t.Context(), p)
	require.NoError(t, err)
	for _, o := range all {
		targets = append(targets, o.Target())
	}
	return targets
}

// tryRelease returns which urgent orders hold the next release.
func (a *agency) tryRelease(t *testing.T) (targets []string) {
	t.Helper()
	_, _, err := a.Release(t.Context(), "anna")
	if err == nil {
		return nil
	}
	ends := (*publish.EndsError)(nil)
	require.ErrorAs(t, err, &ends)
	for _, o := range ends.Orders {
		assert.ErrorContains(t, err, o.Target())
		targets = append(targets, o.Target())
	}
	return targets
}

// No release ends an urgent order by accident: it is made only if it lists what is ordered, or if somebody lets the
// order end.
func TestReleaseKeepsUrgentOrders(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	_, err := a.order(t, entries(t, "https://live.example/1 ref=17", "=b.example"))
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	assert.Equal(t, []string{"=b.example", "https://live.example/1"}, a.tryRelease(t))
	for _, short := range []string{"b.example status=monitor", "b.example expires=" + soon(), "https://live.example/2"} {
		_, err := a.Add(t.Context(), entries(t, short), cause)
		require.NoError(t, err)
		assert.Equal(t, []string{"=b.example", "https://live.example/1"}, a.tryRelease(t), "%s does not block it for as long", short)
		_, err = a.Remove(t.Context(), entries(t, short), cause)
		require.NoError(t, err)
	}
	_, err = a.Add(t.Context(), entries(t, "b.example"), cause)
	require.NoError(t, err)
	assert.Equal(t, []string{"https://live.example/1"}, a.tryRelease(t), "a parent covers the other one")

	r, err := a.KeepUrgent(t.Context(), nil, publish.Audit{Author: "carla", Reason: "it goes on"})
	require.NoError(t, err)
	assert.Equal(t, uint64(1), r.Added)
	assert.Contains(t, a.lines(t), "https://live.example/1 ref=17", "without an end")
	assert.Empty(t, a.tryRelease(t))
	_, err = a.KeepUrgent(t.Context(), nil, cause)
	assert.ErrorIs(t, err, publish.ErrUnchanged)
	a.release(t)
	assert.Empty(t, a.ending(t, nil))
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// What the program records about urgent orders is read again.
func TestCausesOfUrgentOrders(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	_, err := a.order(t, entries(t, "https://live.example/1", "b.example"))
	require.NoError(t, err)
	a.end(t, "https://live.example/1")
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	c := publish.CauseOf(s.Head)
	assert.Equal(t, []string{"lets urgent orders end with the next release: https://live.example/1", "test"}, []string{c.Said.String(), c.Reason})
	r, err := a.KeepUrgent(t.Context(), nil, cause)
	require.NoError(t, err)
	assert.Equal(t, uint64(1), r.Added, "the other one may end")
	s, err = a.Status(t.Context())
	require.NoError(t, err)
	c = publish.CauseOf(s.Head)
	assert.Equal(t, []string{"what urgent orders block stays listed", "test"}, []string{c.Said.String(), c.Reason})
}

// soon is before an urgent order of the tests ends.
func soon() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

// An order that is shorter than the root allows keeps its end.
func TestKeepUrgentKeepsTheEnd(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	end := soon()
	_, err := a.order(t, entries(t, "a.example expires="+end))
	require.NoError(t, err)
	_, err = a.KeepUrgent(t.Context(), nil, cause)
	require.NoError(t, err)
	assert.Contains(t, a.lines(t), "a.example expires="+end)
	assert.Empty(t, a.ending(t, nil))
}

// An order may come when the release is made and signed already. Then it stops the push.
func TestPushKeepsUrgentOrders(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	a.next(t, "example.com")
	a.sign(t, a.anna, a.bruno)
	_, err := a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "wait.example")}, cause)
	require.NoError(t, err)
	_, err = a.order(t, entries(t, "a.example"))
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "a.example"), cause) // not in that release
	require.NoError(t, err)
	send := func() error {
		_, err := a.Push(t.Context(), func(context.Context, string, io.Reader) error { return nil }, toOrigin)
		return err
	}
	p, err := a.Pending()
	require.NoError(t, err)
	assert.Equal(t, []string{"a.example", "wait.example"}, a.ending(t, p))
	assert.Equal(t, []string{"wait.example"}, a.ending(t, nil), "the next one has the other")
	require.ErrorIs(t, send(), publish.ErrEnds)
	a.end(t, "a.example")
	require.ErrorIs(t, send(), publish.ErrEnds, "the other one has not been let end")
	require.ErrorIs(t, a.EndUrgent(t.Context(), []string{"example.org"}, cause), publish.ErrNotListed)
	require.ErrorIs(t, a.EndUrgent(t.Context(), []string{"wait.example"}, publish.Audit{Author: "anna"}), blocklist.ErrMalformed)
	a.end(t, "wait.example")
	require.NoError(t, send())
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// What was removed since the release was made is still in it.
func TestPushWithWhatWasRemovedSince(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	_, err := a.order(t, entries(t, "a.example"))
	require.NoError(t, err)
	a.next(t, "a.example")
	p, err := a.Pending()
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), entries(t, "a.example"), cause)
	require.NoError(t, err)
	assert.Empty(t, a.ending(t, p))
	assert.Equal(t, []string{"a.example"}, a.ending(t, nil))
}

// A second request joins the first: one signature puts both in force.
func TestRequestsJoin(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	ask := func(author, line string) *publish.Pending {
		p, err := a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: entries(t, line)},
			publish.Audit{Author: author, Reason: "seen by " + author, Reference: "night 1"})
		require.NoError(t, err)
		return p
	}
	first := ask("paola", "a.example")
	id, err := first.ID()
	require.NoError(t, err)
	both := ask("marta", "b.example")
	assert.Equal(t, "paola, marta", both.Author)
	assert.Equal(t, "seen by paola; seen by marta", both.Reason)
	assert.Equal(t, "night 1", both.Reference)
	assert.Len(t, both.Orders, 2)
	other, err := both.ID()
	require.NoError(t, err)
	assert.NotEqual(t, id, other, "it is another document to sign")
	_, err = a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "c.example")}, cause)
	require.ErrorIs(t, err, blocklist.ErrUntrusted, "all count for the limit")
	_, err = a.order(t, entries(t, "c.example"))
	require.ErrorIs(t, err, blocklist.ErrUntrusted, "those, too, of an officer who signs at once")
	require.ErrorContains(t, a.CancelUrgent(t.Context(), first, cause), "has changed meanwhile")

	_, err = a.order(t, entries(t, "a.example ref=again"))
	require.NoError(t, err)
	p, err := a.PendingUrgent(t.Context())
	require.NoError(t, err, "they wait on")
	assert.Equal(t, []any{int64(2), "paola, marta", 2}, []any{p.Number, p.Author, len(p.Orders)})
	require.NoError(t, a.CancelUrgent(t.Context(), p, publish.Audit{Author: "rita", Reason: "not needed"}))
	_, err = a.PendingUrgent(t.Context())
	require.ErrorIs(t, err, publish.ErrNothingPending)
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "cancels urgent orders that no one has signed, asked for by paola, marta: a.example, b.example: not needed", s.Head.Reason)
	c := publish.CauseOf(s.Head)
	assert.Equal(t, []any{"paola, marta", "a.example, b.example"}, c.Said[0].Values)
	assert.Equal(t, "not needed", c.Reason)
	require.NotNil(t, s.Urgent)
	assert.False(t, s.Urgent.Pushed)
	var b *trust.Bundle
	_, err = a.PushUrgent(t.Context(), bundleTo(t, &b), toOrigin)
	require.NoError(t, err)
	p = ask("paola", "b.example")
	require.NoError(t, a.CancelUrgent(t.Context(), p, cause))
	o, err := a.Urgent(t.Context())
	require.NoError(t, err)
	assert.True(t, o.Pushed, "what was cancelled was never signed")
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// Urgent orders keep the rules of the list, but need no second person: the root lets an officer alone order them.
func TestUrgentOrdersKeepTheRules(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	rules := publish.Rules{NeedReference: true, NeedReason: true, Categories: []string{"fraud", "piracy"}, TwoPersons: []string{"fraud"}}
	require.NoError(t, a.SetRules(t.Context(), rules, cause))
	for line, reason := range map[string]string{
		"a.example ref=1":                 "why",
		"a.example category=other ref=1":  "why",
		"a.example category=piracy":       "why",
		"a.example category=piracy ref=1": "",
	} {
		by := publish.Audit{Author: "anna", Reason: reason}
		_, err := a.SignUrgent(t.Context(), publish.UrgentChange{Add: entries(t, line)}, a.anna, by)
		require.ErrorIs(t, err, publish.ErrRules, line)
		_, err = a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: entries(t, line)}, by)
		require.ErrorIs(t, err, publish.ErrRules, line)
		_, err = a.TryUrgent(t.Context(), publish.UrgentChange{Add: entries(t, line)}, by)
		require.ErrorIs(t, err, publish.ErrRules, line)
	}
	p, err := a.TryUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "a.example category=fraud ref=1")}, cause)
	require.NoError(t, err)
	assert.Len(t, p.Orders, 1)
	_, err = a.PendingUrgent(t.Context())
	require.ErrorIs(t, err, publish.ErrNothingPending, "it was only tried")
	_, err = a.order(t, entries(t, "a.example category=fraud ref=1"))
	require.NoError(t, err)
	_, err = a.SignUrgent(t.Context(), publish.UrgentChange{Remove: []string{"a.example"}}, a.anna, publish.Audit{Author: "anna"})
	require.NoError(t, err, "the rules are about orders that are given")
}

// That an order may end is said of the order as it was: one that is given again does not end by accident.
func TestOrderedAgainAfterItsEnd(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	_, err := a.order(t, entries(t, "a.example expires="+soon()))
	require.NoError(t, err)
	a.end(t, "a.example")
	_, err = a.order(t, entries(t, "a.example"))
	require.NoError(t, err)
	_, err = a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	assert.Equal(t, []string{"a.example"}, a.tryRelease(t))
}
