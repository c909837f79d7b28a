package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// Every change gives another version, by whichever connection it was made. A try and a read give none.
func TestVersion(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	other, err := Open(l.dir, func(context.Context) error { return nil })
	require.NoError(t, err)
	version := func(l *Ledger) Version {
		v, err := l.Version(t.Context())
		require.NoError(t, err)
		return v
	}
	add := func(l *Ledger, target string) {
		require.NoError(t, l.Change(t.Context(), KindAdd, cause, func(x *Tx) error {
			_, err := x.Put(t.Context(), stream([]blocklist.Entry{entry(t, target)}), func(blocklist.Entry) func() bool { return nil }, nil)
			return err
		}))
	}
	seen := map[Version]bool{}
	for _, change := range []func(){
		func() {},
		func() { add(l, "a.example") },
		func() { add(other, "b.example") },
		func() {
			require.NoError(t, other.Propose(t.Context(), StepPropose, cause, func(x *StepTx) error {
				_, err := x.Add(t.Context(), Proposal{Target: "c.example", Source: "hotline", Received: time.Now()})
				return err
			}))
		},
		func() { require.NoError(t, l.SetMeta(t.Context(), "key", "value")) },
		func() { require.NoError(t, l.watch.close()) },
	} {
		change()
		v := version(l)
		assert.False(t, seen[v], v)
		seen[v] = true
		add(l.Trial(), "d.example")
		_, err := l.Head(t.Context())
		require.NoError(t, err)
		assert.Equal(t, v, version(l))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v, err := l.Version(ctx)
	require.NoError(t, err)
	assert.True(t, seen[v])
	assert.NotEqual(t, version(l), version(other))
	require.NoError(t, other.Close())
}

// Statements are kept up to a limit. Those beyond it, and those with a mistake, are answered all the same.
func TestParsed(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	p, ok := l.q.(*parsed)
	require.True(t, ok)
	for i := range 2 * maxParsed {
		var n int
		text := fmt.Sprintf(`SELECT count(*) FROM meta WHERE key != ? LIMIT %d`, i+1)
		require.NoError(t, p.QueryRowContext(t.Context(), text, "other").Scan(&n))
		assert.Positive(t, n)
	}
	assert.Len(t, p.all, maxParsed)
	require.ErrorContains(t, p.QueryRowContext(t.Context(), `SELECT nothing`).Scan(nil), "nothing")
	_, err := p.QueryContext(t.Context(), `SELECT nothing`) //nolint:rowserrcheck,sqlclosecheck // there are no rows
	require.ErrorContains(t, err, "nothing")
}
