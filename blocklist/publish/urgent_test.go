package publish_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/publish"
)

// urgentAgency is an agency whose root allows two urgent orders of two hours each, with a release.
func urgentAgency(t *testing.T) *agency {
	t.Helper()
	a := newAgency(t)
	p := a.rotate(t, publish.RootChange{Urgent: &publish.UrgentLimits{Entries: 2, Hours: 2}})
	assert.Equal(t, "urgent orders: one officer alone may list 2 on top of a release, each for 2 hours, before: none", publish.Messages(p.Changes).String())
	a.sign(t, a.anna, a.bruno)
	_, err := a.Add(t.Context(), entries(t, "example.org"), cause)
	require.NoError(t, err)
	a.release(t)
	return a
}

func (a *agency) order(t *testing.T, add []blocklist.Entry, remove ...string) (publish.UrgentList, error) {
	t.Helper()
	return a.SignUrgent(t.Context(), publish.UrgentChange{Add: add, Remove: remove}, a.anna, cause)
}

func TestOrder(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	o, err := a.order(t, entries(t, "a.example expires=2999-01-01", "=b.example"))
	require.NoError(t, err)
	assert.Equal(t, []any{int64(1), uint64(1), 0}, []any{o.Number, o.Serial, o.Left})
	require.Len(t, o.Entries, 2)
	for _, e := range o.Entries {
		assert.WithinDuration(t, time.Now().Add(2*time.Hour), e.Expires, time.Minute)
	}
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{publish.KindUrgent, "anna", "urgent orders 1 on serial 1, +=b.example, +a.example: test"}, []any{s.Head.Kind, s.Head.Author, s.Head.Reason})
	assert.Equal(t, []string{"example.org"}, a.lines(t), "they are no part of the list")

	_, _, err = a.Release(t.Context(), "anna") // nothing has changed
	require.ErrorIs(t, err, publish.ErrUnchanged)
	var b *trust.Bundle
	_, err = a.PushUrgent(t.Context(), bundleTo(t, &b), toOrigin)
	require.NoError(t, err)
	roots, err := trust.OpenRoots(b.Roots)
	require.NoError(t, err)
	spec, err := trust.OpenUrgent(roots[1], b.Urgent, nil)
	require.NoError(t, err)
	assert.Equal(t, "=b.example", spec.Entries[0].Target())

	o, err = a.order(t, nil, "a.example")
	require.NoError(t, err)
	assert.Equal(t, []any{int64(2), 1, 0}, []any{o.Number, len(o.Entries), o.Left}, "what was withdrawn counts, too")
	_, err = a.order(t, entries(t, "c.example"))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = a.order(t, entries(t, "a.example"))
	require.NoError(t, err, "again")

	_, err = a.Add(t.Context(), entries(t, "a.example"), cause)
	require.NoError(t, err)
	a.end(t, "=b.example")
	a.release(t)
	o, err = a.Urgent(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{uint64(2), 0, 2}, []any{o.Serial, len(o.Entries), o.Left}, "the release has ended them")
	_, err = a.order(t, entries(t, "c.example", "d.example"))
	require.NoError(t, err)
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// Orders go out while a release waits for signatures, and with the next one.
func TestOrdersWhileAReleaseIsPending(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	_, err = a.order(t, entries(t, "a.example"))
	require.NoError(t, err)
	var b *trust.Bundle
	_, err = a.PushUrgent(t.Context(), bundleTo(t, &b), toOrigin)
	require.NoError(t, err)
	targets, err := trust.ParseTargets(b.Targets)
	require.NoError(t, err)
	assert.Equal(t, int64(1), targets.Version)
	p, err := a.Pending()
	require.NoError(t, err)
	assert.Equal(t, uint64(2), p.Serial)
}

func TestOrderRefuses(t *testing.T) {
	t.Parallel()
	strict := newAgency(t)
	strict.release(t)
	_, err := strict.order(t, entries(t, "a.example"))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "root 1 allows no urgent orders")

	a := urgentAgency(t)
	for name, c := range map[string]struct {
		add    []string
		remove string
		want   error
	}{
		"too many":            {add: []string{"a.example", "b.example", "c.example"}, want: blocklist.ErrUntrusted},
		"a public suffix":     {add: []string{"co.uk"}, want: blocklist.ErrHeld},
		"a top-level domain":  {add: []string{"com"}, want: blocklist.ErrHeld},
		"monitor":             {add: []string{"a.example status=monitor"}, want: blocklist.ErrMalformed},
		"in the past":         {add: []string{"a.example expires=2020-01-01"}, want: blocklist.ErrExpired},
		"what is not ordered": {remove: "example.org", want: publish.ErrNotListed},
	} {
		var remove []string
		if c.remove != "" {
			remove = []string{c.remove}
		}
		_, err := a.order(t, entries(t, c.add...), remove...)
		assert.ErrorIs(t, err, c.want, name)
	}
	_, mallory := newOfficer(t, "mallory")
	_, err = a.SignUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "a.example")}, mallory, cause)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = a.PushUrgent(t.Context(), nil, toOrigin)
	assert.ErrorIs(t, err, publish.ErrNothingPending)
	o, err := a.Urgent(t.Context())
	require.NoError(t, err)
	assert.Zero(t, o.Number)
}

// Orders that an origin has, and that were made elsewhere, perhaps with a stolen key, come into the folder when a push
// meets them: they can be seen, and withdrawn.
func TestOrdersMadeElsewhere(t *testing.T) {
	t.Parallel()
	for name, confidential := range map[string]bool{"in the clear": false, "confidential": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, confidential)
			h.list(t, "example.org")
			h.publish(t)
			_, err := h.order(t, entries(t, "a.example"))
			require.NoError(t, err)
			_, err = h.PushUrgent(t.Context(), h.deliver, toOrigin)
			require.NoError(t, err)
			h.orderElsewhere(t, 7, "evil.example", "a.example")

			_, err = h.order(t, nil, "a.example")
			require.NoError(t, err)
			server := httptest.NewServer(h.origin.Handler())
			t.Cleanup(server.Close)
			overHTTP := publish.ToHTTP(server.Client(), server.URL)
			_, err = h.PushUrgent(t.Context(), overHTTP, toOrigin)
			require.ErrorIs(t, err, blocklist.ErrRollback)
			assert.ErrorContains(t, err, "urgent orders 7 on serial 1, which bruno signed, found at an origin")
			o, err := h.Urgent(t.Context())
			require.NoError(t, err)
			require.Len(t, o.Entries, 2)
			assert.Equal(t, []any{int64(7), "evil.example", 2}, []any{o.Number, o.Entries[1].Target(), o.Left})
			_, err = h.order(t, nil, "evil.example", "a.example")
			require.NoError(t, err)
			o, err = h.PushUrgent(t.Context(), overHTTP, toOrigin)
			require.NoError(t, err)
			assert.Equal(t, []any{int64(8), 0}, []any{o.Number, len(o.Entries)})

			h.orderElsewhere(t, 65535, "evil.example")
			_, err = h.PushUrgent(t.Context(), h.deliver, toOrigin)
			require.ErrorIs(t, err, blocklist.ErrRollback)
			_, err = h.order(t, nil, "evil.example")
			require.ErrorIs(t, err, blocklist.ErrTooLarge)
			h.list(t, "example.com")
			h.end(t, "evil.example")
			h.publish(t)
			_, err = h.order(t, entries(t, "b.example"))
			require.NoError(t, err)
			_, err = h.PushUrgent(t.Context(), overHTTP, toOrigin)
			require.NoError(t, err, "the next release ends them")
			_, err = h.Verify(t.Context(), nil)
			assert.NoError(t, err)
		})
	}
}

// orderElsewhere brings orders by bruno to the origin that the ledger knows nothing of.
func (h *house) orderElsewhere(t *testing.T, number int64, names ...string) {
	t.Helper()
	var b *trust.Bundle
	_, err := h.PushUrgent(t.Context(), bundleTo(t, &b), toOrigin)
	require.NoError(t, err)
	targets, err := trust.ParseTargets(b.Targets)
	require.NoError(t, err)
	spec := trust.UrgentSpec{List: list, Version: trust.UrgentVersion(1, number), Serial: 1, Expires: time.Now().Add(time.Hour)}
	for _, name := range slices.Sorted(slices.Values(names)) {
		spec.Entries = append(spec.Entries, entries(t, name+" expires="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339))...)
	}
	doc, err := trust.NewUrgent(spec, h.key(t, targets))
	require.NoError(t, err)
	doc, err = tuf.Sign(doc, h.bruno)
	require.NoError(t, err)
	var stream bytes.Buffer
	require.NoError(t, trust.WriteBundle(&stream, b.Roots, doc, b.Targets, nil, nil))
	require.NoError(t, h.deliver(t.Context(), list, &stream))
}

// key returns the list key that targets name, nil if the list is in the clear.
func (h *house) key(t *testing.T, targets trust.TargetsSpec) trust.ListKey {
	t.Helper()
	if !targets.Confidential() {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(h.dir, "keys", targets.KeyID[:16]+".key"))
	require.NoError(t, err)
	key, err := trust.ParseListKey(string(text))
	require.NoError(t, err)
	return key
}
