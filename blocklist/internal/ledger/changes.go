package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Changes yields the net changes of the operations with IDs above base, up to and including head, in the order of a
// delta. An entry that was removed and added again unchanged is no change.
func (v View) Changes(ctx context.Context, base, head int64) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for n, err := range query(ctx, v.q, scanNetChange, netChanges, base, head) {
			if err != nil {
				yield(blocklist.Change{}, err)
				return
			}
			if !n.yield(yield) {
				return
			}
		}
	}
}

// Additions yields the current list as additions to an empty list.
func (v View) Additions(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range v.Entries(ctx) {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}

// netChanges selects the first and the last change of each target's published line, in a range of operations. They show
// the line before and after the range. The subquery already sorts by target, so no second sort is needed.
const (
	netChanges = `
SELECT target, (SELECT sign || attributes FROM changes WHERE id = a), (SELECT sign || attributes FROM changes WHERE id = b)
FROM (` + endsOfChanges + ` ORDER BY target)`

	endsOfChanges = `
	SELECT target, min(id) AS a, max(id) AS b FROM changes
	WHERE id > coalesce((SELECT last_change FROM operations WHERE id = ?), 0)
		AND id <= coalesce((SELECT last_change FROM operations WHERE id = ?), id)
		AND sign IN ('+', '-')
	GROUP BY target`
)

// changesOf and changesEnd enclose a statement that selects targets. The whole statement selects all changes of these
// targets, in no order. It begins with the last change of a target, and follows the links: each change has the ID of
// the target's previous change. A link that was altered to lead elsewhere ends the search; [View.Verify] finds it.
const (
	changesOf  = `WITH RECURSIVE chosen (target) AS (`
	changesEnd = `),
	linked (id, sign, target, attributes, before) AS (
		SELECT c.id, c.sign, c.target, c.attributes, c.before FROM chosen CROSS JOIN changes AS c ON c.id IN (
			SELECT change FROM entries WHERE target = chosen.target UNION ALL SELECT change FROM gone WHERE target = chosen.target)
		UNION ALL
		SELECT c.id, c.sign, c.target, c.attributes, c.before FROM linked
			CROSS JOIN changes AS c ON c.id = linked.before WHERE c.id < linked.id AND c.target = linked.target)
SELECT id, sign, target, attributes FROM linked`
)

// netChange is the net change of one target: its line before and its line after. An empty line means that the target is
// not listed.
type netChange struct{ before, after string }

func scanNetChange(row scanner) (n netChange, err error) {
	var target, first, last string
	if err := row.Scan(&target, &first, &last); err != nil {
		return n, err
	}
	if attributes, ok := strings.CutPrefix(first, "-"); ok {
		n.before = target + attributes
	}
	if attributes, ok := strings.CutPrefix(last, "+"); ok {
		n.after = target + attributes
	}
	return n, nil
}

func (n netChange) yield(yield func(blocklist.Change, error) bool) bool {
	if n.before == n.after {
		return true
	}
	for _, c := range []struct {
		line    string
		removed bool
	}{{n.before, true}, {n.after, false}} {
		if c.line == "" {
			continue
		}
		e, err := parseEntry(c.line, "")
		if !yield(blocklist.Change{Removed: c.removed, Entry: e}, err) || err != nil {
			return false
		}
	}
	return true
}

// WriteChanges writes the checks and the lines that an operation recorded, each with its sign and a line end: the text
// whose SHA-256 is ChangesHash. The argument after is the ID of the last change of the previous operation.
func (v View) WriteChanges(ctx context.Context, w io.Writer, o Operation, after int64) error {
	if o.Kind == KindTakedown {
		if err := v.writeChecks(ctx, o.ID, w); err != nil {
			return err
		}
	}
	for c, err := range query(ctx, v.q, scanChangeRow,
		`SELECT id, sign, target, attributes FROM changes WHERE id > ? AND id <= ? ORDER BY id`, after, o.LastChange) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s%s\n", c.sign, c.target, c.attributes); err != nil {
			return err
		}
	}
	return nil
}

// ChangesProof verifies the text that [View.WriteChanges] writes, against the hash and the counts of its operation. It
// can verify one operation after another.
type ChangesProof struct {
	hash           hash.Hash
	added, removed uint64
}

// Add adds one line of the text, without its line end.
func (p *ChangesProof) Add(line string) {
	p.start()
	fmt.Fprintf(p.hash, "%s\n", line)
	switch {
	case strings.HasPrefix(line, "+"):
		p.added++
	case strings.HasPrefix(line, "-"):
		p.removed++
	}
}

func (p *ChangesProof) start() {
	if p.hash == nil {
		p.hash = sha256.New()
	}
}

// End fails with [blocklist.ErrDamaged] unless the lines added since the last call of End are those of the operation o.
// Even if it fails, it forgets the lines, so that those of the next operation can be added.
func (p *ChangesProof) End(o Operation) error {
	p.start()
	sum := hex.EncodeToString(p.hash.Sum(nil))
	counted := p.added == o.Added && p.removed == o.Removed
	*p = ChangesProof{}
	if sum != o.ChangesHash || !counted {
		return Damaged("the changes of operation %d are not those that it recorded", o.ID)
	}
	return nil
}
