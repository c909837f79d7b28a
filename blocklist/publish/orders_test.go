package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
)

// standing returns the orders of a target, as lines.
func (a *agency) standing(t *testing.T, target string) (lines []string) {
	t.Helper()
	orders, err := a.Orders(t.Context(), target)
	require.NoError(t, err)
	for _, o := range orders {
		lines = append(lines, o.String())
	}
	return lines
}

// An entry rests on orders, and stays listed while one stands.
func TestOrders(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	add := func(line string) publish.ChangeResult {
		r, err := a.Add(t.Context(), entries(t, line), cause)
		require.NoError(t, err)
		return r
	}
	add("example.org category=a ref=17 expires=2030-01-02")
	r := add("example.org category=b ref=99 expires=2029-01-02")
	assert.Equal(t, uint64(1), r.Joined)
	assert.Equal(t, []publish.OrderChange{{
		Target: "example.org",
		Before: entries(t, "example.org category=a ref=17 expires=2030-01-02"),
		After:  entries(t, "example.org category=a ref=17 expires=2030-01-02", "example.org category=b ref=99 expires=2029-01-02"),
	}}, r.Orders)
	assert.Equal(t, []string{"example.org category=a ref=17 expires=2030-01-02"}, a.lines(t), "the order that lasts longest")
	add("example.org ref=100 status=monitor")
	assert.Equal(t, []string{"example.org category=a ref=17 expires=2030-01-02"}, a.lines(t), "blocking counts, not monitoring")
	add("example.org ref=101")
	assert.Equal(t, []string{"example.org ref=101"}, a.lines(t), "one without an end lasts longest")
	add("example.org ref=98")
	assert.Equal(t, []string{"example.org ref=101"}, a.lines(t), "of two the oldest")

	r = add("example.org ref=99 review=2028-01-02")
	assert.Equal(t, uint64(1), r.Changed)
	assert.Equal(t, "example.org category=b ref=99 expires=2029-01-02 review=2028-01-02", a.standing(t, "example.org")[1], "what is not given stays")
	r = add("example.org ref=99 category=b")
	assert.Equal(t, uint64(1), r.Unchanged)

	for _, gone := range []struct{ reference, published string }{
		{"101", "example.org ref=98"},
		{"17", "example.org ref=98"},
		{"98", "example.org category=b ref=99 expires=2029-01-02 review=2028-01-02"},
		{"99", "example.org ref=100 status=monitor"},
	} {
		r, err := a.Withdraw(t.Context(), gone.reference, entries(t, "example.org"), cause)
		require.NoError(t, err)
		assert.Equal(t, []uint64{0, 1}, []uint64{r.Removed, r.Withdrawn})
		assert.Equal(t, []string{gone.published}, a.lines(t))
	}
	_, err := a.Withdraw(t.Context(), "99", entries(t, "example.org"), cause)
	require.ErrorIs(t, err, publish.ErrNoOrder)
	_, err = a.Withdraw(t.Context(), "99", entries(t, "example.net"), cause)
	require.ErrorIs(t, err, publish.ErrNotListed)
	r, err = a.Withdraw(t.Context(), "100", nil, cause)
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 0}, []uint64{r.Removed, r.Withdrawn})
	assert.Empty(t, a.lines(t))
	_, err = a.Withdraw(t.Context(), "100", nil, cause)
	require.ErrorIs(t, err, publish.ErrNoOrder)
	_, err = a.Add(t.Context(), entries(t, "example.org"), cause)
	require.NoError(t, err)
	_, err = a.Withdraw(t.Context(), "", nil, cause)
	require.ErrorIs(t, err, blocklist.ErrMalformed, "an order without a reference is withdrawn entry by entry")
	_, err = a.Remove(t.Context(), nil, cause)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = a.Add(t.Context(), nil, cause)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = a.Withdraw(t.Context(), "", entries(t, "example.org"), cause)
	require.NoError(t, err)
	assert.Empty(t, a.lines(t))
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
}

// An order that was altered, removed or inserted behind the program's back is found, and named.
func TestVerifyFindsOrders(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, line := range []string{"example.org ref=17", "example.org ref=99 expires=2040-01-02", "example.net ref=17", "example.com ref=1", "example.com ref=2"} {
		_, err := a.Add(t.Context(), entries(t, line), cause)
		require.NoError(t, err)
	}
	_, err := a.Withdraw(t.Context(), "2", entries(t, "example.com"), cause)
	require.NoError(t, err)
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	pristine, err := os.ReadFile(filepath.Join(a.dir, "ledger.db"))
	require.NoError(t, err)
	for name, c := range map[string]struct{ sql, want string }{
		"given order altered":     {`UPDATE changes SET attributes = ' ref=98' WHERE sign = '&' AND target = 'example.org'`, "changes of operation 3"},
		"withdrawn order altered": {`UPDATE changes SET attributes = ' ref=1' WHERE sign = '~'`, "changes of operation 7"},
		"sign altered":            {`UPDATE changes SET sign = '~' WHERE sign = '&' AND target = 'example.org'`, "changes of operation 3"},
		"unknown sign":            {`UPDATE changes SET sign = '!' WHERE sign = '&' AND target = 'example.org'`, `has the sign "!"`},
		"standing order altered":  {`UPDATE orders SET attributes = ' ref=98' WHERE number = 1`, `orders of "example.org"`},
		"expiry beside an order":  {`UPDATE orders SET expires = 1 WHERE number = 1`, `orders of "example.org"`},
		"standing order missing":  {`DELETE FROM orders WHERE number = 1`, `orders of "example.org"`},
		"order inserted":          {`INSERT INTO orders VALUES ('example.net', 0, ' ref=5', NULL)`, `orders of "example.net"`},
		"order inserted at last":  {`INSERT INTO orders VALUES ('example.test', 0, ' ref=5', NULL)`, `order of "example.test"`},
		"order of a former one":   {`INSERT INTO orders VALUES ('example.com', 0, ' ref=5', NULL)`, `orders of "example.com"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &agency{dir: a.dir}
			require.NoError(t, os.WriteFile(filepath.Join(a.dir, "ledger.db"), pristine, 0o600))
			ledgertest.Tamper(t, a.dir, c.sql)
			b.open(t)
			_, err := b.Verify(t.Context(), nil)
			require.ErrorIs(t, err, blocklist.ErrDamaged)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// A full list replaces what its order listed before, and nothing else.
func TestReplace(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	replace := func(by publish.Audit, lines ...string) (publish.ChangeResult, error) {
		r, err := a.Replace(t.Context(), "feed", stream(entries(t, lines...)), by, nil)
		r.Orders = nil
		return r, err
	}
	r, err := replace(cause, "a.example category=x expires=2040-01-02", "b.example", "c.example ref=feed")
	require.NoError(t, err)
	assert.Equal(t, uint64(3), r.Added)
	_, err = a.Add(t.Context(), entries(t, "b.example ref=17", "other.example ref=17"), cause)
	require.NoError(t, err)

	r, err = replace(cause, "a.example", "d.example", "other.example")
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 1, 1, 1, 1}, []uint64{r.Added, r.Joined, r.Changed, r.Removed, r.Withdrawn})
	assert.Equal(t, []string{"a.example ref=feed", "b.example ref=17", "d.example ref=feed", "other.example ref=17"}, a.lines(t))
	assert.Equal(t, []string{"other.example ref=17", "other.example ref=feed"}, a.standing(t, "other.example"))

	before := a.lines(t)
	_, err = replace(cause)
	require.ErrorIs(t, err, blocklist.ErrHeld, "nothing would be left")
	_, err = replace(cause, "a.example", "d.example ref=18")
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	require.NoError(t, a.SetRules(t.Context(), publish.Rules{Categories: []string{"x"}}, cause))
	_, err = replace(cause, "a.example category=x", "d.example category=y")
	require.ErrorIs(t, err, publish.ErrRules)
	assert.Equal(t, before, a.lines(t))
	r, err = replace(override)
	require.NoError(t, err)
	assert.Equal(t, []uint64{2, 1}, []uint64{r.Removed, r.Withdrawn})
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
}

// Rules hold for what comes, and are part of the history.
func TestRules(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, bad := range []publish.Rules{{Reference: "("}, {Categories: []string{"A"}}, {Categories: []string{"a b"}}, {Reference: "(?:a{1000}){1000}"}} {
		assert.ErrorIs(t, a.SetRules(t.Context(), bad, cause), blocklist.ErrMalformed, bad)
	}
	assert.ErrorIs(t, a.SetRules(t.Context(), publish.Rules{Reference: strings.Repeat("a", 2000)}, cause), blocklist.ErrTooLarge)
	rules := publish.Rules{NeedReference: true, NeedReason: true, Categories: []string{"a", "b"}, Reference: `order [0-9]+`}
	require.NoError(t, a.SetRules(t.Context(), rules, cause))
	got, err := a.Rules(t.Context())
	require.NoError(t, err)
	assert.Equal(t, rules, got)
	for line, want := range map[string]string{
		`example.org category=a`:                    "a reference is needed",
		`example.org category=a ref="x order 1"`:    "does not match",
		`example.org category=A ref="order 1"`:      "do you mean a?",
		`example.org category=longer ref="order 1"`: "not in its vocabulary: a, b",
		`example.org ref="order 1"`:                 "a category is needed: a, b",
	} {
		_, err := a.Add(t.Context(), entries(t, line), cause)
		require.ErrorIs(t, err, publish.ErrRules)
		assert.ErrorContains(t, err, want)
	}
	good := entries(t, `example.org category=a ref="order 1"`)
	_, err = a.Add(t.Context(), good, publish.Audit{Author: "anna"})
	require.ErrorContains(t, err, "a reason is needed")
	r, err := a.Import(t.Context(), stream(append(entries(t, "example.net"), good...)), cause, nil)
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 1}, []uint64{r.Added, r.Broken})
	assert.Contains(t, r.Breaches[0], "example.net")
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, a.Close())

	ledgertest.Tamper(t, a.dir, `UPDATE meta SET value = '{}' WHERE key = 'rules'`)
	a.open(t)
	_, err = a.Verify(t.Context(), nil)
	require.ErrorIs(t, err, blocklist.ErrDamaged)
	assert.ErrorContains(t, err, "the rules")
}

// An order that would have expired is refused, and changes nothing.
func TestAddExpired(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "a.example", "b.example expires=2020-01-02"), cause)
	require.ErrorIs(t, err, publish.ErrOver)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	require.EqualError(t, err, "b.example: it would expire on 2020-01-02: malformed: the day is over; give a later one")
	assert.Empty(t, a.lines(t))
}

// A release withdraws the orders that have expired, and no others: the entry stays while one stands.
func TestOrdersExpire(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, line := range []string{
		"example.org ref=17 expires=2020-01-02", "example.org ref=99 status=monitor", "example.net ref=17 expires=2020-01-02",
		"example.net ref=99 expires=2021-01-02", "example.com ref=17 expires=2020-01-02 review=2020-01-01", "example.com ref=99",
	} {
		_, err := a.Import(t.Context(), stream(entries(t, line)), cause, nil)
		require.NoError(t, err)
	}
	s, err := a.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, publish.DueCounts{Review: 1, Expired: 4}, s.Due)
	assert.Equal(t, []string{"example.com ref=99", "example.net ref=99 expires=2021-01-02", "example.org ref=17 expires=2020-01-02"}, a.lines(t))
	a.release(t)
	assert.Equal(t, []string{"example.com ref=99", "example.org ref=99 status=monitor"}, a.lines(t))
	assert.Equal(t, []string{"example.com ref=99"}, a.standing(t, "example.com"))
	_, err = a.Verify(t.Context(), nil)
	require.NoError(t, err)
}
