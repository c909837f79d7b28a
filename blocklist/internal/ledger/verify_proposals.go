package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
)

// verifyProposals verifies the chain of steps, the operations that have recorded their hashes, the state of each
// proposal, and the counts.
func (v View) verifyProposals(ctx context.Context) error {
	if err := errors.Join(v.verifySteps(ctx), v.verifySources(ctx)); err != nil {
		return err
	}
	counts, err := v.verifyStates(ctx)
	if err != nil {
		return err
	}
	stored, err := v.ProposalCounts(ctx)
	if err != nil {
		return err
	}
	for _, c := range stored {
		counts[c.ProposalGroup] -= int64(c.Number)
	}
	for g, n := range counts {
		if n != 0 {
			return Damaged("the number of proposals from %.80q that are %s is wrong by %d", g.Source, g.State, n)
		}
	}
	return nil
}

// stepLine is a row of the table step_lines.
type stepLine struct {
	id, proposal int64
	line         string
}

func scanStepLine(row scanner) (l stepLine, err error) {
	return l, row.Scan(&l.id, &l.proposal, &l.line)
}

// verifySteps verifies the steps and their lines in order.
func (v View) verifySteps(ctx context.Context) error {
	next, stop := iter.Pull2(query(ctx, v.q, counting(v.read, scanStepLine), `SELECT id, proposal, line FROM step_lines ORDER BY id`))
	defer stop()
	before := Step{Hash: initialStepHash(v.list)}
	anchors, err := v.anchors(ctx)
	if err != nil {
		return err
	}
	for s, err := range v.Steps(ctx, 0) {
		if err != nil {
			return err
		}
		if err := s.verify(before, next); err != nil {
			return err
		}
		delete(anchors, s.anchor())
		before = s
	}
	for what, operation := range anchors {
		return Damaged("operation %d recorded %s of the proposals, which is not in their history", operation, what)
	}
	if l, err, more := next(); more {
		if err != nil {
			return err
		}
		return Damaged("a line about proposal %d belongs to no step", l.proposal)
	}
	return nil
}

// anchors returns the references of the operations that have recorded a step, with the IDs of these operations.
func (v View) anchors(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	for o, err := range v.Operations(ctx, Range{Kinds: []string{KindProposals}}) {
		if err != nil {
			return nil, err
		}
		all[o.Reference] = o.ID
	}
	return all, nil
}

// verify fails unless a step follows from the one before and from its own lines.
func (s Step) verify(before Step, next func() (stepLine, error, bool)) error {
	if s.ID != before.ID+1 {
		return Damaged("step %d of the proposals is missing, or step %d does not belong there", before.ID+1, s.ID)
	}
	sum := sha256.New()
	for id := before.LastLine + 1; id <= s.LastLine; id++ {
		l, err, more := next()
		if err != nil {
			return err
		}
		var p Proposal
		if !more || l.id != id || p.apply(l.line) != nil || p.ID != l.proposal || p.Step != s.ID ||
			p.State == StateChecked && p.Checker != s.Author {
			return Damaged("line %d, of step %d of the proposals, is missing, or one does not belong there", id, s.ID)
		}
		fmt.Fprintf(sum, "%s\n", l.line)
	}
	if s.LinesHash != hex.EncodeToString(sum.Sum(nil)) || s.Hash != s.LinkHash(before.Hash) {
		return Damaged("step %d of the proposals is not what was recorded, or not chained to step %d", s.ID, before.ID)
	}
	return nil
}

// proposalRow is a row of the table proposals.
type proposalRow struct {
	id      int64
	indexes [7]string
	place   int64
	current string
}

func scanProposalRow(row scanner) (r proposalRow, err error) {
	x := &r.indexes
	return r, row.Scan(&r.id, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5], &x[6], &r.place, &r.current)
}

// verifyStates replays the lines of each proposal, and counts the proposals.
func (v View) verifyStates(ctx context.Context) (map[ProposalGroup]int64, error) {
	next, stop := iter.Pull2(query(ctx, v.q, scanProposalRow,
		`SELECT id, source, category, state, checker, host, key, target, place, current FROM proposals ORDER BY id`))
	defer stop()
	counts := map[ProposalGroup]int64{}
	var at Proposal
	end := func() error {
		if at.ID == 0 {
			return nil
		}
		counts[at.group()]++
		row, err, more := next()
		if err != nil {
			return err
		}
		if !more || !row.is(at) {
			return Damaged("proposal %d is not what the steps have led to", at.ID)
		}
		return nil
	}
	for l, err := range query(ctx, v.q, counting(v.read, scanStepLine), `SELECT id, proposal, line FROM step_lines ORDER BY proposal, id`) {
		if err != nil {
			return nil, err
		}
		if l.proposal != at.ID {
			if err := end(); err != nil {
				return nil, err
			}
			at = Proposal{}
		}
		if err := at.apply(l.line); err != nil {
			return nil, err
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	var rows int64
	if err := v.q.QueryRowContext(ctx, `SELECT count(*) FROM proposals`).Scan(&rows); err != nil {
		return nil, err
	}
	for n := range maps.Values(counts) {
		rows -= n
	}
	if rows != 0 {
		return nil, Damaged("there are proposals that no step has made")
	}
	return counts, nil
}

// is reports whether a row has the state of a proposal, with its indexes.
func (r proposalRow) is(p Proposal) bool {
	host, err := p.host()
	return err == nil && r.id == p.ID && r.current == p.line() && r.place == p.place() &&
		r.indexes == [7]string{p.Source, p.Category, p.State, p.Checker, host, p.Key, p.Target}
}
