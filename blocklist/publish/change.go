package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// ChangeResult counts what a change to the ledger did.
type ChangeResult struct {
	Added     uint64 // entries that are new
	Changed   uint64 // entries whose attributes are other ones now
	Removed   uint64
	Unchanged uint64          // entries that were there like this already
	Refused   uint64          // entries that were not taken, because the guards hold them
	Findings  []guard.Finding // what the guards found in the entries: the first that hold, and the first that don't
}

// Add lists entries. An entry that is there with other attributes gets the new ones. If the guards hold one of them,
// nothing is changed, and the error is a [*guard.HeldError]; with c.Override they are taken all the same.
func (l *Ledger) Add(ctx context.Context, entries []blocklist.Entry, c Audit) (ChangeResult, error) {
	return l.put(ctx, KindAdd, withoutErrors(entries), c, nil)
}

func withoutErrors(entries []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Remove takes entries out, by their targets; attributes don't matter. If one of them is not there, nothing is changed.
func (l *Ledger) Remove(ctx context.Context, entries []blocklist.Entry, c Audit) (ChangeResult, error) {
	return l.change(ctx, KindRemove, c, func(o *operation, r *ChangeResult) error {
		for _, e := range entries {
			if err := o.remove(ctx, e.Target(), r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Import is Add for a stream of entries of any length, in bounded memory. Entries that the guards hold are left out and
// counted, unless c.Override says why they are taken; what lists commonly trip ([guard.Check.Common]) is taken, and told: the
// release decides about it. An error in the stream changes nothing. Progress, if it is not nil,
// is called now and then with the number of entries read.
func (l *Ledger) Import(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], c Audit, progress func(uint64)) (ChangeResult, error) {
	return l.put(ctx, KindImport, entries, c, progress)
}

func (l *Ledger) put(ctx context.Context, kind string, entries iter.Seq2[blocklist.Entry, error], c Audit, progress func(uint64)) (ChangeResult, error) {
	return l.change(ctx, kind, c, func(o *operation, r *ChangeResult) error {
		check, err := l.newCheck(ctx, c)
		if err != nil {
			return err
		}
		check.bulk = kind == KindImport
		if err := o.put(ctx, entries, &batch{limit: maxBatch}, check, r, progress); err != nil {
			return err
		}
		r.Refused, r.Findings = check.refused, check.found()
		if check.bulk {
			return nil
		}
		return check.held()
	})
}

// change runs fill under the lock as one operation.
func (l *Ledger) change(ctx context.Context, kind string, c Audit, fill func(*operation, *ChangeResult) error) (r ChangeResult, err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return r, err
	}
	defer unlock()
	if c.Override != "" {
		c.Reason = strings.TrimPrefix(c.Reason+overriddenBy+c.Override, "; ")
	}
	if err := l.operate(ctx, kind, c, func(o *operation) error { return fill(o, &r) }); err != nil {
		return ChangeResult{}, err
	}
	return r, nil
}

// overriddenBy stands between the reason of a change and why the guards were overridden.
const overriddenBy = "; guards overridden: "

// withoutOverride returns the reason of a change alone.
func withoutOverride(reason string) string {
	reason, _, _ = strings.Cut("; "+reason, overriddenBy)
	return strings.TrimPrefix(reason, "; ")
}

// statements are what an operation runs once or more for each entry.
type statements struct {
	find, put, remove, log *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, tx *sql.Tx) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.find, `SELECT attributes FROM entries WHERE target = ?`},
		{&s.put, `INSERT INTO entries (target, attributes, place, expires) VALUES (?, ?, ?, ?)
			ON CONFLICT (target) DO UPDATE SET attributes = excluded.attributes, expires = excluded.expires`},
		{&s.remove, `DELETE FROM entries WHERE target = ?`},
		{&s.log, `INSERT INTO changes (id, sign, target, attributes) VALUES (?, ?, ?, ?)`},
	} {
		var err error
		if *p.stmt, err = tx.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// find returns the attributes of the entry with a target, and false if there is none.
func (o *operation) find(ctx context.Context, target string) (attributes string, listed bool, err error) {
	err = o.stmts.find.QueryRowContext(ctx, target).Scan(&attributes)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return attributes, err == nil, err
}

// remove takes an entry out.
func (o *operation) remove(ctx context.Context, target string, r *ChangeResult) error {
	held, listed, err := o.find(ctx, target)
	if err != nil {
		return err
	}
	if !listed {
		return fmt.Errorf("removing %q: %w", target, ErrNotListed)
	}
	r.Removed++
	_, err = o.stmts.remove.ExecContext(ctx, target)
	return errors.Join(err, o.log(ctx, '-', target, held))
}

// ErrNotListed is returned when what is to be removed is not on the list in that scope.
var ErrNotListed = errors.New("not on the list with this scope")

// log records one change and counts it.
func (o *operation) log(ctx context.Context, sign byte, target, attributes string) error {
	line := []byte(target + attributes)
	if sign == '+' {
		o.Added++
		o.Entries++
		o.digest.Add(line)
	} else {
		o.Removed++
		o.Entries--
		o.digest.Remove(line)
	}
	if o.Entries > blocklist.MaxEntries {
		return fmt.Errorf("a list of more than %d entries: %w", blocklist.MaxEntries, blocklist.ErrTooLarge)
	}
	fmt.Fprintf(o.hash, "%c%s\n", sign, line)
	o.LastChange++
	_, err := o.stmts.log.ExecContext(ctx, o.LastChange, string(sign), target, attributes)
	return err
}
