package publish

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Verified counts what Verify has proved.
type Verified struct {
	Operations int64  `json:"operations"`
	Changes    int64  `json:"changes"`
	Entries    uint64 `json:"entries"`
	Releases   int    `json:"releases"`
	Head       string `json:"head"` // the hash of the last operation
}

// Verify proves the whole history: every operation's hash and the one it is chained to, every line that came or went, the
// entries that follow from them with all that is kept beside them, the settings of the guards, the officers' signatures on what
// was refused, and the releases, whose heads the officers have signed, with the pushes. It fails with [blocklist.ErrDamaged] and
// names the first row that was altered, is missing, or does not belong there.
//
// Someone who can change the ledger can also compute a new chain, but not sign it: what is older than the last release is
// held by the officers' signatures, what is newer by the chain alone.
func (l *Ledger) Verify(ctx context.Context) (v Verified, err error) {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return v, err
	}
	defer tx.Rollback() //nolint:errcheck // it was only read
	last, err := verifyChain(ctx, tx, l.list)
	if err != nil {
		return v, err
	}
	if err := verifyEntries(ctx, tx, last); err != nil {
		return v, err
	}
	if err := errors.Join(l.verifyRefusals(ctx, tx), l.verifyGuard(ctx, tx)); err != nil {
		return v, err
	}
	v = Verified{Operations: last.ID, Changes: last.LastChange, Entries: last.Entries, Head: last.Hash}
	v.Releases, err = l.verifyReleases(ctx, tx)
	return v, err
}

// damaged reports a row.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", blocklist.ErrDamaged, fmt.Sprintf(format, args...))
}

// changeRow is a row of the table changes.
type changeRow struct {
	id                       int64
	sign, target, attributes string
}

func scanChangeRow(rows *sql.Rows) (c changeRow, err error) {
	return c, rows.Scan(&c.id, &c.sign, &c.target, &c.attributes)
}

// verifyChain walks the operations and their changes, and returns the last operation.
func verifyChain(ctx context.Context, q querier, list string) (last Operation, err error) {
	next, stop := iter.Pull2(query(ctx, q, scanChangeRow, `SELECT id, sign, target, attributes FROM changes ORDER BY id`))
	defer stop()
	last.Hash = genesis(list)
	var digest blocklist.Digest
	for o, err := range operations(ctx, q) {
		if err != nil {
			return last, err
		}
		if o.ID != last.ID+1 {
			return last, damaged("operation %d is missing, or operation %d does not belong there", last.ID+1, o.ID)
		}
		if err := verifyOperation(ctx, q, o, last, &digest, next); err != nil {
			return last, err
		}
		last = o
	}
	if last.ID == 0 {
		return last, damaged("there are no operations")
	}
	if c, err, more := next(); more {
		return last, errors.Join(err, damaged("change %d (%.81q) belongs to no operation", c.id, c.sign+c.target))
	}
	return last, verifyChecks(ctx, q)
}

// verifyOperation proves that the operation o follows from the one before and from its own changes.
func verifyOperation(ctx context.Context, q querier, o, before Operation, digest *blocklist.Digest, next func() (changeRow, error, bool)) error {
	replayed, hash := before, sha256.New()
	if o.Kind == KindTakedown {
		if err := hashChecks(ctx, q, o.ID, hash); err != nil {
			return err
		}
	}
	if err := replay(o, &replayed, digest, hash, next); err != nil {
		return err
	}
	switch {
	case o.ChangesHash != replayed.ChangesHash:
		return damaged("the changes of operation %d (%d to %d) are not those that it recorded", o.ID, before.LastChange+1, o.LastChange)
	case o.Hash != o.chain(before.Hash):
		return damaged("operation %d is not what was recorded, or not chained to operation %d", o.ID, before.ID)
	case o.Added != replayed.Added || o.Removed != replayed.Removed || o.Entries != replayed.Entries || o.Digest != digest.String():
		return damaged("operation %d has other counts or another digest than its changes", o.ID)
	}
	return nil
}

// replay makes the changes of the operation o to the state before it.
func replay(o Operation, state *Operation, digest *blocklist.Digest, hash hash.Hash, next func() (changeRow, error, bool)) error {
	state.Added, state.Removed = 0, 0
	for state.LastChange < o.LastChange {
		state.LastChange++
		c, err, more := next()
		if err != nil {
			return err
		}
		if !more || c.id != state.LastChange {
			return damaged("change %d, of operation %d, is missing, or one does not belong there", state.LastChange, o.ID)
		}
		line := []byte(c.target + c.attributes)
		fmt.Fprintf(hash, "%s%s\n", c.sign, line)
		if c.sign == "+" {
			digest.Add(line)
			state.Added++
			state.Entries++
		} else {
			digest.Remove(line)
			state.Removed++
			state.Entries--
		}
	}
	state.ChangesHash = hex.EncodeToString(hash.Sum(nil))
	return nil
}

// verifyEntries compares the entries with the digest of the last operation, and finds the row if they differ.
func verifyEntries(ctx context.Context, q querier, last Operation) error {
	var digest blocklist.Digest
	var n uint64
	for row, err := range query(ctx, q, scanEntryRow, `SELECT target, attributes, place, expires FROM entries`) {
		if err != nil {
			return err
		}
		if err := row.check(); err != nil {
			return err
		}
		digest.Add([]byte(row.target + row.attributes))
		n++
	}
	if digest.String() == last.Digest && n == last.Entries {
		return nil
	}
	var target string
	err := q.QueryRowContext(ctx, strayEntry).Scan(&target)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return damaged("entry %.80q is not what the history has led to", target)
}

func scanText(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) }

// entryRow is a row of the table entries.
type entryRow struct {
	target, attributes string
	place              sql.NullString
	expires            sql.NullInt64
}

func scanEntryRow(rows *sql.Rows) (r entryRow, err error) {
	return r, rows.Scan(&r.target, &r.attributes, &r.place, &r.expires)
}

// check compares what a release finds the entry by with the entry itself: an expiry that is not the entry's would take it off
// the list.
func (r entryRow) check() error {
	e, err := readEntry(r.target, r.attributes)
	if err != nil {
		return err
	}
	end, ends := expires(e).(int64)
	at, placed := place(e).(string)
	if r.expires != (sql.NullInt64{Int64: end, Valid: ends}) || r.place != (sql.NullString{String: at, Valid: placed}) {
		return damaged("entry %q has another expiry or place beside it than its own", e)
	}
	return nil
}

// verifyGuard compares the settings of the guards with the operation that set them.
func (l *Ledger) verifyGuard(ctx context.Context, tx *sql.Tx) error {
	settings, err := readGuardSettings(ctx, tx)
	if err != nil {
		return err
	}
	what, err := settings.describe()
	if err != nil {
		return damaged("the settings of the guards can't be read: %v", err)
	}
	var id int64
	recorded := ""
	err = tx.QueryRowContext(ctx, `SELECT id, reference FROM operations WHERE kind = ? ORDER BY id DESC LIMIT 1`, KindGuard).Scan(&id, &recorded)
	switch {
	case errors.Is(err, sql.ErrNoRows) && settings == GuardSettings{}:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return damaged("the guards have settings (%s) that no operation has made", what)
	case err == nil && recorded != what:
		return damaged("the settings of the guards (%s) are not those of operation %d (%.200q)", what, id, recorded)
	}
	return err
}

// strayEntry finds a target whose entry is not what its last change says.
const strayEntry = `
WITH state AS (
	SELECT c.target, c.attributes FROM changes AS c
	JOIN (SELECT max(id) AS id FROM changes GROUP BY target) AS newest ON newest.id = c.id WHERE c.sign = '+')
SELECT target FROM (SELECT target, attributes FROM state EXCEPT SELECT target, attributes FROM entries)
UNION ALL
SELECT target FROM (SELECT target, attributes FROM entries EXCEPT SELECT target, attributes FROM state)
LIMIT 1`

// verifyReleases compares the releases with the history and with what was signed, and returns how many there are.
func (l *Ledger) verifyReleases(ctx context.Context, tx *sql.Tx) (n int, err error) {
	roots, err := l.chain()
	if err != nil {
		return 0, err
	}
	for r, err := range releases(ctx, tx) {
		if err != nil {
			return n, err
		}
		if n++; r.Serial != uint64(n) {
			return n, damaged("release %d is missing, or release %d does not belong there", n, r.Serial)
		}
		row := tx.QueryRowContext(ctx, `SELECT `+operationColumns+` FROM operations WHERE id = ?`, r.Operation)
		o, err := scanOperation(row)
		if err != nil || o.Hash != r.Head {
			return n, errors.Join(err, damaged("release %d was made from operation %d, which has another hash now", r.Serial, r.Operation))
		}
		if roots, err = l.verifySigned(r, o, roots); err != nil {
			return n, fmt.Errorf("release %d: %w", r.Serial, err)
		}
		if err := l.verifyPush(ctx, tx, r); err != nil {
			return n, err
		}
	}
	return n, nil
}

// verifyPush finds the operation that recorded when a release was pushed first.
func (l *Ledger) verifyPush(ctx context.Context, tx *sql.Tx, r ReleaseRecord) error {
	var found bool
	pushed := (&Pending{List: l.list, Serial: r.Serial}).What() + " to "
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM operations WHERE kind = ? AND time = ? AND substr(reason, 1, ?) = ?)`,
		KindPush, formatTime(r.Pushed), len(pushed), pushed).Scan(&found)
	if err == nil && !found {
		err = damaged("no operation has pushed release %d at %s", r.Serial, formatTime(r.Pushed))
	}
	return err
}

// verifySigned compares a release with its signed metadata. It returns the roots without those that were no longer in
// force: no later release can have been signed for them.
func (l *Ledger) verifySigned(r ReleaseRecord, o Operation, roots []*trust.Root) ([]*trust.Root, error) {
	pushed, err := l.readRelease(l.releasePath(r.Serial))
	if err != nil {
		return nil, err
	}
	if roots, err = signedUnder(roots, pushed.metadata); err != nil {
		return nil, err
	}
	signed := pushed.targets.Newest()
	if signed.Serial != r.Serial || signed.List != l.list || signed.Ledger != r.Head || signed.Digest != o.Digest || signed.Entries != o.Entries {
		return nil, damaged("the history is not the one that was signed")
	}
	return roots, nil
}

// signedUnder returns the roots from the first one on that enough officers have signed targets for.
func signedUnder(roots []*trust.Root, targets []byte) ([]*trust.Root, error) {
	err := fmt.Errorf("%w: there is no root", blocklist.ErrUntrusted)
	for i, root := range roots {
		if _, err = trust.OpenTargets(root, targets); err == nil {
			return roots[i:], nil
		}
	}
	return nil, err
}
