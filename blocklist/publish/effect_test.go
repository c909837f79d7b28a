package publish_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// effect returns in a line what subscribers make of a target at a time.
func (a *agency) effect(t *testing.T, target string, at time.Time) string {
	t.Helper()
	all, err := a.Effects(t.Context(), []string{target}, at)
	require.NoError(t, err)
	e := all[target]
	text := e.State
	if e.Serial > 0 {
		text += fmt.Sprintf(" by %d", e.Serial)
		for r, err := range a.Releases(t.Context(), 0) {
			require.NoError(t, err)
			if r.Serial == e.Serial {
				assert.Equal(t, r.Pushed, e.Since, target)
			}
		}
	}
	for _, word := range []struct {
		is   bool
		text string
	}{
		{e.Urgent, " urgent"},
		{e.Monitor, " monitor"},
		{!e.Until.IsZero(), " until"},
		{e.Waits != "", " waits for " + e.Waits},
		{e.Pending > 0, fmt.Sprint(" of ", e.Pending)},
	} {
		if word.is {
			text += word.text
		}
	}
	return text
}

// effects are the effects of some targets now, each on a line.
func (a *agency) effects(t *testing.T, targets ...string) (lines []string) {
	t.Helper()
	for _, target := range targets {
		lines = append(lines, target+": "+a.effect(t, target, time.Now()))
	}
	return lines
}

func (a *agency) remove(t *testing.T, targets ...string) {
	t.Helper()
	_, err := a.Remove(t.Context(), entries(t, targets...), cause)
	require.NoError(t, err)
}

// What is decided counts for subscribers from the push of a release on.
func TestEffectOfReleases(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	assert.Equal(t, []string{"a.example: never"}, a.effects(t, "a.example"))
	a.add(t, "a.example", "b.example", "c.example status=monitor", "d.example", "e.example expires=2099-01-01")
	a.remove(t, "d.example")
	for _, step := range []struct {
		waits string
		do    func()
	}{
		{"release", func() {}},
		{"signatures of 1", func() {
			_, _, err := a.Release(t.Context(), "anna")
			require.NoError(t, err)
		}},
		{"push of 1", func() { a.sign(t, a.anna, a.bruno) }},
	} {
		step.do()
		assert.Equal(t, []string{
			"a.example: decided waits for " + step.waits, "c.example: decided monitor waits for " + step.waits, "d.example: dropped",
			"e.example: decided until waits for " + step.waits,
		}, a.effects(t, "a.example", "c.example", "d.example", "e.example"))
	}
	a.release(t)
	assert.Equal(t, []string{
		"a.example: in-force by 1", "b.example: in-force by 1", "c.example: in-force by 1 monitor", "d.example: dropped",
		"e.example: in-force by 1 until",
	}, a.effects(t, "a.example", "b.example", "c.example", "d.example", "e.example"))
	assert.Equal(t, "expired", a.effect(t, "e.example", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))

	a.remove(t, "a.example", "b.example", "e.example")
	a.add(t, "c.example", "f.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.add(t, "a.example", "g.example", "b.example ref=2")
	assert.Equal(t, []string{
		"a.example: in-force by 1", "b.example: in-force by 1 waits for release",
		"c.example: in-force by 1 monitor waits for signatures of 2", "e.example: leaving by 1 until waits for signatures of 2",
		"f.example: decided waits for signatures of 2", "g.example: decided waits for release",
	}, a.effects(t, "a.example", "b.example", "c.example", "e.example", "f.example", "g.example"))
	a.release(t)
	a.remove(t, "b.example")
	assert.Equal(t, []string{
		"a.example: in-force by 1", "b.example: leaving by 1 waits for release", "c.example: in-force by 2", "e.example: ended by 2",
		"g.example: in-force by 2",
	}, a.effects(t, "a.example", "b.example", "c.example", "e.example", "g.example"))
	a.add(t, "e.example")
	a.release(t)
	assert.Equal(t, []string{"b.example: ended by 3", "e.example: in-force by 3"}, a.effects(t, "b.example", "e.example"))
}

// What has expired does not come into force, whatever the ledger lists.
func TestEffectOfExpiry(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Import(t.Context(), stream(entries(t, "a.example expires=2020-01-01", "b.example")), cause, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"a.example: expired"}, a.effects(t, "a.example"))
	a.release(t)
	assert.Equal(t, []string{"a.example: dropped", "b.example: in-force by 1"}, a.effects(t, "a.example", "b.example"))
}

// Urgent orders are in force without a release, from their push on, until their end or the next release.
func TestEffectOfOrders(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	push := func() {
		var b *trust.Bundle
		_, err := a.PushUrgent(t.Context(), bundleTo(t, &b), toOrigin)
		require.NoError(t, err)
	}
	order := func(add []blocklist.Entry, remove ...string) {
		_, err := a.order(t, add, remove...)
		require.NoError(t, err)
	}
	order(entries(t, "a.example"))
	assert.Equal(t, []string{"a.example: decided urgent waits for push"}, a.effects(t, "a.example"))
	push()
	order(entries(t, "b.example"))
	assert.Equal(t, []string{
		"a.example: in-force urgent until", "b.example: decided urgent waits for push", "example.org: in-force by 1",
	}, a.effects(t, "a.example", "b.example", "example.org"))
	assert.Equal(t, "ended urgent", a.effect(t, "a.example", time.Now().Add(3*time.Hour)))
	push()
	order(nil, "a.example")
	a.add(t, "b.example")
	assert.Equal(t, []string{
		"a.example: leaving urgent until waits for push", "b.example: in-force urgent until waits for release",
	}, a.effects(t, "a.example", "b.example"))
	push()
	assert.Equal(t, []string{"a.example: ended urgent"}, a.effects(t, "a.example"))
	order(entries(t, "a.example"))
	push()
	ordered, err := a.Effects(t.Context(), []string{"b.example"}, time.Now())
	require.NoError(t, err)
	a.end(t, "a.example")
	a.release(t)
	assert.Equal(t, []string{"a.example: ended urgent"}, a.effects(t, "a.example"), "the release ends them")
	ledgertest.Tamper(t, a.dir, `UPDATE releases SET pushed = ? WHERE serial = 2`, time.Now().UTC().Add(10*time.Minute).Format(time.RFC3339))
	listed, err := a.Effects(t.Context(), []string{"b.example"}, time.Now())
	require.NoError(t, err)
	assert.Equal(t, publish.Effect{State: publish.EffectInForce, Since: ordered["b.example"].Since, Serial: 2}, listed["b.example"],
		"it was blocked without a gap")
	all, err := a.EntryHistory(t.Context(), "a.example")
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), all[0].Effect.Since, 11*time.Minute)
	assert.Equal(t, publish.EffectEnded, all[0].Effect.State)
}
