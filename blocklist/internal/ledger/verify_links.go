package ledger

import (
	"context"
	"hash/maphash"
)

// linkProof proves that the links lead from each target to all of its changes, see [changesOf]. A target links to its
// last change, and a change links to the previous change of its target. The links are right if exactly one link, of the
// same target, ends at each change, and if no change links to itself or to a later one. The proof adds a hash of each
// change to a sum, and subtracts a hash of each link's end. The key of the hash is random, so only correct links give
// the sum zero.
type linkProof struct {
	seed  maphash.Seed
	sum   uint64
	later bool // whether a link leads from a change to a later one, or to itself
}

// linkEnd is what [linkProof] hashes: a change and a target. For a change in the log, this is its own target. For the
// end of a link, it is the target to which the link belongs.
type linkEnd struct {
	change int64
	target string
}

func (p *linkProof) hash(change int64, target string) uint64 {
	return maphash.Comparable(p.seed, linkEnd{change, target})
}

// change adds a change, and subtracts the end of its link. The argument before is the ID of that end; 0: no link.
func (p *linkProof) change(c changeRow, before int64) {
	p.sum += p.hash(c.id, c.target)
	if before != 0 {
		p.sum -= p.hash(before, c.target)
		p.later = p.later || before >= c.id
	}
}

// head subtracts the end of the link from a target to its last change.
func (p *linkProof) head(target string, change int64) { p.sum -= p.hash(change, target) }

// end subtracts the ends of the links from targets that are no longer listed. Then it fails with [blocklist.ErrDamaged]
// unless all links are right.
func (p *linkProof) end(ctx context.Context, v View) error {
	for at, err := range query(ctx, v.q, scanLinkEnd, `SELECT change, target FROM gone`) {
		if err != nil {
			return err
		}
		p.head(at.target, at.change)
	}
	if p.sum == 0 && !p.later {
		return nil
	}
	var target string
	if err := v.q.QueryRowContext(ctx, brokenLink).Scan(&target); err != nil {
		return err
	}
	return Damaged("the links between the changes of %.80q lead elsewhere", target)
}

func scanLinkEnd(row scanner) (e linkEnd, err error) { return e, row.Scan(&e.change, &e.target) }

// brokenLink selects a target whose links are not the chain of its changes, from the last to the first.
const brokenLink = `
WITH
	newest (target, id) AS (SELECT target, max(id) FROM changes GROUP BY target),
	heads (target, id) AS (SELECT target, change FROM entries UNION ALL SELECT target, change FROM gone)
SELECT target FROM (SELECT target, id FROM newest EXCEPT SELECT target, id FROM heads)
UNION ALL
SELECT target FROM (SELECT target, id FROM heads EXCEPT SELECT target, id FROM newest)
UNION ALL
SELECT target FROM (SELECT target, before, lag(id) OVER (PARTITION BY target ORDER BY id) AS last FROM changes)
	WHERE before IS NOT last
LIMIT 1`
