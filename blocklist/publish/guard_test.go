package publish_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// held fails the test unless err is what the guards hold, and returns it.
func held(t *testing.T, err error) *guard.Report {
	t.Helper()
	require.ErrorIs(t, err, blocklist.ErrHeld)
	h, ok := errors.AsType[*guard.HeldError](err)
	require.True(t, ok)
	return h.Report
}

func TestGuardSettings(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	s, err := a.GuardSettings(t.Context())
	require.NoError(t, err)
	assert.Equal(t, publish.GuardSettings{}, s)

	want := publish.GuardSettings{Protected: "bank.example\n", Popular: "1,video.example\n", MaxGrowth: 0.5}
	require.NoError(t, a.SetGuard(t.Context(), want, cause))
	for _, bad := range []publish.GuardSettings{{Protected: "https://a.example/b"}, {Popular: "0,a.example"}, {MaxShrink: -1}} {
		assert.ErrorIs(t, a.SetGuard(t.Context(), bad, cause), blocklist.ErrMalformed, bad)
	}
	a.open(t)
	s, err = a.GuardSettings(t.Context())
	require.NoError(t, err)
	assert.Equal(t, want, s)
	status, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, publish.KindGuard, status.Head.Kind)
	assert.Contains(t, status.Head.Reference, "1 protected (SHA-256 ")
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

func TestGuardsInTheLedger(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetGuard(t.Context(), publish.GuardSettings{Protected: "bank.example\n"}, cause))
	_, err := a.Add(t.Context(), entries(t, "a.example", "www.bank.example"), cause)
	assert.Equal(t, "www.bank.example", held(t, err).Findings[0].Entry)
	assert.Empty(t, a.lines(t))

	r, err := a.Add(t.Context(), entries(t, "a.example", "bank.example status=monitor"), cause)
	require.NoError(t, err)
	assert.Equal(t, guard.SeverityReport, r.Guards.Findings[0].Severity, "what blocks nothing may come")
	_, err = a.Add(t.Context(), entries(t, "bank.example"), cause)
	held(t, err) // but not begin to block
	_, err = a.Add(t.Context(), entries(t, "bank.example"), override)
	require.NoError(t, err)
	r, err = a.Import(t.Context(), stream(entries(t, "bank.example category=test", "www.bank.example")), cause, nil)
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 1}, []uint64{r.Changed, r.Refused}, "what blocks already is not new")
	assert.Equal(t, []string{"a.example", "bank.example category=test"}, a.lines(t))
}

func TestGuardsBeforeARelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var many []blocklist.Entry
	for i := range 100 {
		many = append(many, entry(t, fmt.Sprintf("n%d.example", i)))
	}
	_, err := a.Add(t.Context(), many, cause)
	require.NoError(t, err)
	a.release(t)

	_, err = a.Remove(t.Context(), many[:50], cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	assert.Equal(t, map[guard.Check]uint64{guard.CheckShrink: 1}, held(t, err).Counts)
	_, err = a.Pending()
	assert.ErrorIs(t, err, publish.ErrNothingPending)

	for _, bad := range []string{"", "two\nlines", strings.Repeat("x", 2000)} {
		_, err = a.Override(t.Context(), publish.Audit{Author: "anna", Reason: bad})
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
	}
	_, err = a.Override(t.Context(), publish.Audit{Author: "anna", Reason: "an old order has ended"})
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), many[50:51], cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	held(t, err) // 51 are gone, 50 were let pass
	_, err = a.Override(t.Context(), publish.Audit{Author: "anna", Reason: "and one more"})
	require.NoError(t, err)
	assert.Contains(t, string(a.release(t).Targets), `"override":"and one more"`)

	_, err = a.Add(t.Context(), many[:1], cause)
	require.NoError(t, err)
	r, err := a.Override(t.Context(), publish.Audit{Author: "anna", Reason: "to be safe"})
	require.NoError(t, err)
	assert.Zero(t, r.Held)
	assert.NotContains(t, string(a.release(t).Targets), "to be safe", "nothing was held")
	_, err = a.Verify(t.Context(), nil)
	assert.NoError(t, err)
}

// A platform is not listed because very many of its customers are, however much is listed at once.
func TestGuardsFindParents(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]int{"alone": 0, "with many others": 30} {
		a := newAgency(t)
		var many []blocklist.Entry
		for i := range 101 {
			many = append(many, entry(t, fmt.Sprintf("https://c%d.platform.example/x", i)))
		}
		_, err := a.Add(t.Context(), many, cause)
		require.NoError(t, err)
		a.release(t)
		more := entries(t, "platform.example")
		for i := range others {
			more = append(more, entry(t, fmt.Sprintf("n%d.example", i)))
		}
		_, err = a.Add(t.Context(), more, cause)
		require.NoError(t, err)
		_, _, err = a.Release(t.Context(), "anna")
		assert.EqualValues(t, 1, held(t, err).Counts[guard.CheckParent], name)
	}
}
