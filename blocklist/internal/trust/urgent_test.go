package trust_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

const order = "bad.example expires=2999-01-01"

// urgentAgency is an agency whose root allows two urgent orders of an hour each.
func urgentAgency(t testing.TB) (*trusttest.Agency, *trust.Root) {
	t.Helper()
	a := trusttest.NewAgency(t, online.Key)
	a.Urgent, a.Roots = trust.Urgent{Entries: 2, Hours: 1}, nil
	a.Rotate()
	root, err := trust.OpenRoot(a.Roots[0])
	require.NoError(t, err)
	return a, root
}

func TestUrgentLimitsOfRoot(t *testing.T) {
	_, root := urgentAgency(t)
	assert.Equal(t, trust.Urgent{Entries: 2, Hours: 1}, root.Spec().Urgent)
	for name, u := range map[string]trust.Urgent{
		"no hours": {Entries: 1}, "no entries": {Hours: 1}, "too long": {Entries: 1, Hours: 25}, "too many": {Entries: 17, Hours: 1}, "negative": {Entries: -1, Hours: 1},
	} {
		s := spec()
		s.Urgent = u
		_, err := trust.NewRoot(s)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, name)
	}
	for name, field := range map[string]string{
		"nothing": `{"entries":0,"hours":0}`, "text": `"all"`, "more": `{"entries":1,"hours":1,"all":true}`, "half": `{"entries":1.5,"hours":1}`,
	} {
		b := bytes.Replace(root.Bytes(), []byte(`{"entries":2,"hours":1}`), []byte(field), 1)
		require.NotEqual(t, root.Bytes(), b)
		_, err := trust.ParseRoot(b)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, name)
	}
}

func TestOpenUrgent(t *testing.T) {
	a, root := urgentAgency(t)
	good, err := trust.OpenUrgent(root, a.Orders(1, 7, []string{order}, carla), nil)
	require.NoError(t, err, "one officer is enough")
	assert.Equal(t, []any{trusttest.List, int64(1), uint64(7), order}, []any{good.List, good.Number(), good.Serial, good.Entries[0].String()})

	_, strict := func() (*trusttest.Agency, *trust.Root) {
		b := trusttest.NewAgency(t, online.Key)
		r, err := trust.OpenRoot(b.Roots[0])
		require.NoError(t, err)
		return b, r
	}()
	_, err = trust.OpenUrgent(strict, a.Orders(1, 7, []string{order}, anna, bruno), nil)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "the root allows none")
	other := *a
	other.List = "it.example/other"
	altered := bytes.Replace(a.Orders(1, 7, []string{order}, anna), []byte("bad.example"), []byte("sad.example"), 1)
	for name, b := range map[string][]byte{
		"no signature":       a.Orders(1, 7, []string{order}),
		"a stranger's":       a.Orders(1, 7, []string{order}, dora),
		"the origin's":       a.Orders(1, 7, []string{order}, online),
		"of another list":    other.Orders(1, 7, []string{order}, anna),
		"altered":            altered,
		"one entry too many": a.Orders(1, 7, []string{"a.example expires=2999-01-01", "b.example expires=2999-01-01", "c.example expires=2999-01-01"}, anna),
	} {
		_, err := trust.OpenUrgent(root, b, nil)
		assert.ErrorIs(t, err, blocklist.ErrUntrusted, name)
	}
}

// published is a release, with urgent orders on top.
func published(t testing.TB, targets, urgent []byte) trust.Metadata {
	t.Helper()
	spec, err := trust.ParseTargets(targets)
	require.NoError(t, err)
	orders, err := trust.ParseUrgent(urgent)
	require.NoError(t, err)
	return trust.Metadata{Targets: &spec, Urgent: &orders}
}

// accept is what a subscriber does with urgent orders.
func accept(root *trust.Root, m trust.Metadata, doc []byte) (trust.Metadata, error) {
	orders, err := trust.ParseUrgent(doc)
	if err != nil {
		return m, err
	}
	_, next, err := m.AcceptUrgent(root, orders)
	return next, err
}

// Orders are accepted in the order of their versions, which begin again with each release, and for no later release than the newest.
func TestAcceptUrgent(t *testing.T) {
	a, root := urgentAgency(t)
	held := published(t, a.Release(7, "example.org").Targets, a.Orders(3, 7, []string{order}, anna))
	take := func(m trust.Metadata, doc []byte) (trust.Metadata, error) { return accept(root, m, doc) }
	for name, c := range map[string]struct {
		doc  []byte
		want error
	}{
		"older":                  {a.Orders(2, 7, nil, anna), blocklist.ErrRollback},
		"another of that number": {a.Orders(3, 7, nil, anna), blocklist.ErrRollback},
		"of the release before":  {a.Orders(65535, 6, nil, anna), blocklist.ErrRollback},
		"of the release to come": {a.Orders(1, 8, nil, anna), blocklist.ErrUntrusted},
		"a stranger's":           {a.Orders(4, 7, nil, dora), blocklist.ErrUntrusted},
	} {
		next, err := take(held, c.doc)
		assert.ErrorIs(t, err, c.want, name)
		assert.True(t, held.Equal(next), name)
	}
	same, err := take(held, held.Urgent.Bytes())
	require.NoError(t, err)
	assert.True(t, held.Equal(same))
	next, err := take(held, a.Orders(4, 7, nil, anna))
	require.NoError(t, err)
	assert.Empty(t, next.Refused)

	many := a.Orders(6, 7, []string{"a.example expires=2999-01-01", "b.example expires=2999-01-01", "c.example expires=2999-01-01"}, anna)
	refused, err := take(held, many)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.Equal(t, [][]byte{held.Urgent.Bytes(), many}, [][]byte{refused.Urgent.Bytes(), refused.Refused.Bytes()}, "it counts for rollback, and those in force stay")
	_, err = take(refused, many)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = take(refused, a.Orders(5, 7, nil, anna))
	assert.ErrorIs(t, err, blocklist.ErrRollback)
	_, err = take(refused, a.Orders(7, 7, nil, anna))
	assert.NoError(t, err)

	held = published(t, a.Release(8, "example.org").Targets, a.Orders(65535, 7, nil, anna))
	_, err = take(held, a.Orders(1, 8, nil, bruno))
	assert.NoError(t, err, "a release begins again")
}

// What an officer has signed who has gone since keeps no one out.
func TestRevokedOfficerKeepsNobodyOut(t *testing.T) {
	a, root := urgentAgency(t)
	held := published(t, a.Release(7, "example.org").Targets, a.Orders(65535, 7, []string{order}, carla))
	next := a.Orders(2, 7, nil, anna)
	_, err := accept(root, held, next)
	require.ErrorIs(t, err, blocklist.ErrRollback)
	a.Officers[2] = dora
	a.Rotate(carla)
	root, err = trust.CheckNextRoot(root, a.Roots[1])
	require.NoError(t, err)
	_, err = accept(root, held, next)
	assert.NoError(t, err)
}

// Neither can be taken for the other, no matter who has signed it.
func TestUrgentIsNoRelease(t *testing.T) {
	a, root := urgentAgency(t)
	_, err := openTargets(root, a.Orders(1, 1, []string{order}, anna, bruno, carla))
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = trust.OpenUrgent(root, a.Release(1, "example.org").Targets, nil)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

func TestParseUrgentRefuses(t *testing.T) {
	a, _ := urgentAgency(t)
	good := a.Orders(1, 7, []string{order}, anna)
	for name, edit := range map[string][2]string{
		"no expiry":    {order, "bad.example"},
		"monitor":      {order, "bad.example expires=2999-01-01 status=monitor"},
		"not a line":   {order, "bad example"},
		"another form": {order, "BAD.example expires=2999-01-01"},
		"serial 0":     {`"serial":7`, `"serial":0`},
		"no serial":    {`"serial":7`, `"serial":-7`},
		"twice":        {`"` + order + `"`, `"` + order + `","` + order + `"`},
		"out of order": {`"` + order + `"`, `"` + order + `","a.example expires=2999-01-01"`},
		"more":         {`"serial":7`, `"serial":7,"all":true`},
		"version":      {`"version":458753`, `"version":1`},
		"version 0":    {`"version":458753`, `"version":458752`},
		"last version": {`"version":458753`, `"version":9223372036854775807`},
		"files":        {`"targets":{}`, `"targets":{"x":{"length":1,"hashes":{"sha256":"00"}}}`},
	} {
		b := bytes.Replace(good, []byte(edit[0]), []byte(edit[1]), 1)
		require.NotEqual(t, good, b, name)
		_, err := trust.ParseUrgent(b)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, name)
	}
}

// However often targets are ordered again, there are no more of them, and none lasts longer, than the root allows.
func TestLimit(t *testing.T) {
	u := trust.Urgent{Entries: 2, Hours: 1}
	parse := func(lines ...string) (all []blocklist.Entry) {
		for _, line := range lines {
			e, err := blocklist.ParseEntry(line)
			require.NoError(t, err)
			all = append(all, e)
		}
		return all
	}
	now := time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
	soon := "soon.example expires=2026-11-22T01:10:00Z"
	entries, seen, err := u.Limit(parse(order, soon), nil, now)
	require.NoError(t, err)
	assert.Equal(t, now.Add(time.Hour), entries[0].Expires)
	assert.Equal(t, soon, entries[1].String())

	entries, again, err := u.Limit(parse(order), seen, now.Add(50*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, now.Add(time.Hour), entries[0].Expires, "the time runs from the first order")
	assert.Equal(t, seen, again)
	_, _, err = u.Limit(parse("third.example expires=2999-01-01"), seen, now)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "those that were withdrawn count, too")
}

func FuzzParseUrgent(f *testing.F) {
	a, root := urgentAgency(f)
	f.Add(a.Orders(1, 7, []string{order}, anna))
	f.Add(a.Orders(2, 8, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		spec, err := trust.ParseUrgent(b)
		if err != nil {
			return
		}
		assert.LessOrEqual(t, len(spec.Entries), trust.MaxUrgentNames)
		assert.Equal(t, spec.Version, trust.UrgentVersion(spec.Serial, spec.Number()))
		again, err := trust.NewUrgent(spec, nil)
		if assert.NoError(t, err) {
			same, err := trust.ParseUrgent(again)
			assert.NoError(t, err)
			assert.Equal(t, spec.Entries, same.Entries)
		}
		_, _ = trust.OpenUrgent(root, b, nil)
	})
}
