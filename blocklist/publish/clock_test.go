package publish_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

func rightClock(error) bool { return true }

// A clock that is a year ahead changes nothing: what it claims to be expired stays listed.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := ownAgency(t)
		_, err := a.Add(t.Context(), entries(t, "a.example expires=2000-06-01"), cause)
		require.NoError(t, err)
		a.release(t)
		a.next(t, "b.example")
		listed := a.lines(t)

		time.Sleep(366 * 24 * time.Hour)
		for what, change := range everyChange(t, a) {
			err := change()
			require.ErrorIs(t, err, blocklist.ErrClock, what)
			assert.ErrorContains(t, err, "this machine says 2001-01-01T00:00:00Z, which is more than a year after the last operation (4, of 2000-01-01T00:00:00Z)", what)
		}
		assert.Equal(t, listed, a.lines(t))

		a.ConfirmClock(rightClock)
		_, _, err = a.Release(t.Context(), "anna")
		require.NoError(t, err)
		assert.Equal(t, []string{"b.example"}, a.lines(t))
		assert.Equal(t, "expired before the release; clock confirmed", lastOperation(t, a).Reason)
		_, err = a.Add(t.Context(), entries(t, "c.example"), cause)
		require.NoError(t, err)
		assert.Equal(t, cause.Reason, lastOperation(t, a).Reason, "the operation before has confirmed it")
	})
}

// A clock that is before the last operation changes nothing. Verify notes that it once was.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	a := newAgency(t) // made now; in a bubble it is the year 2000
	_, err := a.Add(t.Context(), entries(t, "a.example"), cause)
	require.NoError(t, err)
	a.release(t)
	a.next(t, "b.example")
	request := a.request(t)

	synctest.Test(t, func(t *testing.T) {
		b := &agency{dir: a.dir, anna: a.anna, bruno: a.bruno}
		b.open(t)
		for what, change := range everyChange(t, b) {
			err := change()
			require.ErrorIs(t, err, blocklist.ErrClock, what)
			assert.ErrorContains(t, err, "this machine says 2000-01-01T00:00:00Z, which is before the last operation (4, of 20", what)
		}
		b.ConfirmClock(rightClock)
		_, err := b.Add(t.Context(), entries(t, "c.example"), override)
		require.NoError(t, err)
		last := lastOperation(t, b)
		assert.Equal(t, "test; clock confirmed; guards overridden: the guards know no test", last.Reason)
		assert.Equal(t, "test", last.StatedReason())
		v, err := b.Verify(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, v.Notes, 1)
		assert.Contains(t, v.Notes[0], "operation 5 of 2000-01-01T00:00:00Z")

		q, err := publish.OpenRequest(bytes.NewReader(request), b.rootFile(t), nil)
		require.NoError(t, err)
		defer q.Close()
		_, err = q.Sign(b.anna)
		require.ErrorIs(t, err, blocklist.ErrClock)
		assert.ErrorContains(t, err, "this machine says 2000-01-01T00:00:00Z, and it was made on 20")
		q.ConfirmClock(rightClock)
		_, err = q.Sign(b.anna)
		require.NoError(t, err)
	})
}

// An officer does not sign what no subscriber would have for long.
func TestSignsNothingThatExpiresToday(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := ownAgency(t)
		_, err := a.Add(t.Context(), entries(t, "a.example"), cause)
		require.NoError(t, err)
		p, _, err := a.Release(t.Context(), "anna")
		require.NoError(t, err)
		time.Sleep(364*24*time.Hour - time.Second)
		_, err = a.Sign(t.Context(), p, a.anna)
		require.NoError(t, err)
		p, err = a.Pending()
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = a.Sign(t.Context(), p, a.bruno)
		require.ErrorIs(t, err, blocklist.ErrExpired)
		assert.ErrorContains(t, err, "within a day, on 2000-12-31T")
	})
}

// everyChange returns calls that each take the lock, by name. A release is pending.
func everyChange(t *testing.T, a *agency) map[string]func() error {
	t.Helper()
	p, err := a.Pending()
	require.NoError(t, err)
	return map[string]func() error{
		"add":      func() error { _, err := a.Add(t.Context(), entries(t, "c.example"), cause); return err },
		"remove":   func() error { _, err := a.Remove(t.Context(), entries(t, "b.example"), cause); return err },
		"release":  func() error { _, _, err := a.Release(t.Context(), "anna"); return err },
		"override": func() error { _, err := a.Override(t.Context(), cause); return err },
		"sign":     func() error { _, err := a.Sign(t.Context(), p, a.anna); return err },
		"refuse":   func() error { return a.Refuse(t.Context(), p, a.anna, cause) },
		"push":     func() error { _, err := a.Push(t.Context(), nil, cause); return err },
		"root":     func() error { _, err := a.NewRoot(t.Context(), publish.RootChange{}, cause); return err },
		"guard":    func() error { return a.SetGuard(t.Context(), publish.GuardSettings{MaxGrowth: 0.5}, cause) },
	}
}

func lastOperation(t *testing.T, a *agency) publish.Operation {
	t.Helper()
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	return s.Head
}
