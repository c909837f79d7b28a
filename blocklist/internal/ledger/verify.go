package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"iter"

	"github.com/argine-dns/argine/blocklist"
)

// Verify verifies the history: the hash chain of all operations, every added or removed line, the checks, the resulting
// entries with their indexes, the links between the changes of each target, the orders for each target, and the
// proposals. It fails with [blocklist.ErrDamaged] and names the first row that was altered, is missing, or should not
// exist. It returns the last operation. If progress is not nil, Verify calls it from time to time with the number of
// rows read.
func (v View) Verify(ctx context.Context, progress func(rows uint64)) (last Operation, err error) {
	v.read = &Counter{Show: progress}
	links := &linkProof{seed: maphash.MakeSeed()}
	if last, err = v.verifyChain(ctx, links); err != nil {
		return last, err
	}
	if err := v.verifyEntries(ctx, last, links); err != nil {
		return last, err
	}
	if err := links.end(ctx, v); err != nil {
		return last, err
	}
	if err := v.verifyOrders(ctx); err != nil {
		return last, err
	}
	return last, v.verifyProposals(ctx)
}

// verifyChain verifies the operations and their changes in order, and returns the last operation.
func (v View) verifyChain(ctx context.Context, links *linkProof) (last Operation, err error) {
	scan := func(row scanner) (c changeRow, err error) {
		var before int64
		if c, err = scanChangeRow(extra{row, []any{&before}}); err == nil {
			links.change(c, before)
		}
		return c, err
	}
	next, stop := iter.Pull2(query(ctx, v.q, counting(v.read, scan),
		`SELECT id, sign, target, attributes, ifnull(before, 0) FROM changes ORDER BY id`))
	defer stop()
	last.Hash = InitialHash(v.list)
	var digest blocklist.Digest
	for o, err := range v.Operations(ctx, Range{}) {
		if err != nil {
			return last, err
		}
		if o.ID != last.ID+1 {
			return last, Damaged("operation %d is missing, or operation %d does not belong there", last.ID+1, o.ID)
		}
		if err := v.verifyOperation(ctx, o, last, &digest, next); err != nil {
			return last, err
		}
		last = o
	}
	if last.ID == 0 {
		return last, Damaged("there are no operations")
	}
	if c, err, more := next(); more {
		return last, errors.Join(err, Damaged("change %d (%.81q) belongs to no operation", c.id, c.sign+c.target))
	}
	return last, v.verifyChecks(ctx)
}

// verifyOperation fails unless the operation o follows from the previous one and from its own changes.
func (v View) verifyOperation(ctx context.Context, o, before Operation, digest *blocklist.Digest,
	next func() (changeRow, error, bool),
) error {
	replayed, hash := before, sha256.New()
	if o.Kind == KindTakedown {
		if err := v.writeChecks(ctx, o.ID, hash); err != nil {
			return err
		}
	}
	if err := replay(o, &replayed, digest, hash, next); err != nil {
		return err
	}
	switch {
	case o.ChangesHash != replayed.ChangesHash:
		return Damaged("the changes of operation %d (%d to %d) are not those that it recorded", o.ID, before.LastChange+1,
			o.LastChange)
	case o.Hash != o.LinkHash(before.Hash):
		return Damaged("operation %d is not what was recorded, or not chained to operation %d", o.ID, before.ID)
	case o.Added != replayed.Added || o.Removed != replayed.Removed || o.Entries != replayed.Entries ||
		o.Digest != digest.String():
		return Damaged("operation %d has other counts or another digest than its changes", o.ID)
	}
	return nil
}

// replay applies the changes of the operation o to the argument state, which is the state after the previous operation.
func replay(o Operation, state *Operation, digest *blocklist.Digest, hash hash.Hash,
	next func() (changeRow, error, bool),
) error {
	state.Added, state.Removed = 0, 0
	for state.LastChange < o.LastChange {
		state.LastChange++
		c, err, more := next()
		if err != nil {
			return err
		}
		if !more || c.id != state.LastChange {
			return Damaged("change %d, of operation %d, is missing, or one does not belong there", state.LastChange, o.ID)
		}
		line := []byte(c.target + c.attributes)
		fmt.Fprintf(hash, "%s%s\n", c.sign, line)
		switch c.sign {
		case signAdded:
			digest.Add(line)
			state.Added++
			state.Entries++
		case signRemoved:
			digest.Remove(line)
			state.Removed++
			state.Entries--
		case signOrder, signWithdrawn: // see [View.verifyOrders]
		default:
			return Damaged("change %d, of operation %d, has the sign %q", c.id, o.ID, c.sign)
		}
	}
	state.ChangesHash = hex.EncodeToString(hash.Sum(nil))
	return nil
}

// verifyEntries compares the entries with the digest of the last operation. If they differ, the error names an entry.
func (v View) verifyEntries(ctx context.Context, last Operation, links *linkProof) error {
	var digest blocklist.Digest
	var n uint64
	for row, err := range query(ctx, v.q, counting(v.read, scanEntryRow), `SELECT target, attributes, place, expires, change FROM entries`) {
		if err != nil {
			return err
		}
		if err := row.check(); err != nil {
			return err
		}
		digest.Add([]byte(row.target + row.attributes))
		links.head(row.target, row.change)
		n++
	}
	if digest.String() == last.Digest && n == last.Entries {
		return nil
	}
	var target string
	err := v.q.QueryRowContext(ctx, divergedEntry).Scan(&target)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return Damaged("entry %.80q is not what the history has led to", target)
}

// entryRow is a row of the table entries.
type entryRow struct {
	target, attributes string
	place              sql.NullString
	expires            sql.NullInt64
	change             int64
}

func scanEntryRow(row scanner) (r entryRow, err error) {
	return r, row.Scan(&r.target, &r.attributes, &r.place, &r.expires, &r.change)
}

// check fails unless the columns place and expires match the entry. A wrong expiry would make a release remove the
// entry.
func (r entryRow) check() error {
	e, err := parseEntry(r.target, r.attributes)
	if err != nil {
		return err
	}
	end, ends := expires(e).(int64)
	at, placed := reversedName(e).(string)
	if r.expires != (sql.NullInt64{Int64: end, Valid: ends}) || r.place != (sql.NullString{String: at, Valid: placed}) {
		return Damaged("entry %q has another expiry or place beside it than its own", e)
	}
	return nil
}

// divergedEntry selects a target whose entry differs from its last change.
const divergedEntry = `
WITH state AS (
	SELECT c.target, c.attributes FROM changes AS c
	JOIN (SELECT max(id) AS id FROM changes WHERE sign IN ('+', '-') GROUP BY target) AS newest ON newest.id = c.id WHERE c.sign = '+')
SELECT target FROM (SELECT target, attributes FROM state EXCEPT SELECT target, attributes FROM entries)
UNION ALL
SELECT target FROM (SELECT target, attributes FROM entries EXCEPT SELECT target, attributes FROM state)
LIMIT 1`
