package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
)

// verifyProposals verifies the chain of each [Step] to the one before, the operations that recorded the hashes of
// steps, the state of each proposal, and the counts of proposals.
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

// isOf reports whether a line belongs to the step s. If the line says that a proposal was checked, the checker must be
// the author of the step. A line that makes a proposal is recognised by its beginning and its end, to save time; other
// lines are parsed.
func (l stepLine) isOf(s Step) bool {
	if strings.HasSuffix(l.line, fmt.Sprintf(`,"state":"`+StateNew+`","step":%d}`, s.ID)) {
		return strings.HasPrefix(l.line, fmt.Sprintf(`{"id":%d,`, l.proposal))
	}
	var p Proposal
	return p.apply(l.line) == nil && p.ID == l.proposal && p.Step == s.ID &&
		(p.State != StateChecked || p.Checker == s.Author)
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

// anchors returns the references of the operations that recorded the hash of a step, with the IDs of these operations.
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

// verify fails unless the step s follows from the previous step and from its own lines.
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
		if !more || l.id != id || !l.isOf(s) {
			return Damaged("line %d, of step %d of the proposals, is missing, or one does not belong there", id, s.ID)
		}
		fmt.Fprintf(sum, "%s\n", l.line)
	}
	if s.LinesHash != hex.EncodeToString(sum.Sum(nil)) || s.Hash != s.LinkHash(before.Hash) {
		return Damaged("step %d of the proposals is not what was recorded, or not chained to step %d", s.ID, before.ID)
	}
	return nil
}

// proposalRow is a row of the table proposals, with one of the lines about the proposal.
type proposalRow struct {
	id      int64
	indexes [7]string
	place   int64
	current string
	line    sql.NullString // a line of a [Step]; NULL: it is the same as in the field current
	whole   bool           // whether the line is the only one of the proposal so far, and the same as in the field current
}

func scanProposalRow(row scanner) (r proposalRow, err error) {
	x := &r.indexes
	return r, row.Scan(&r.id, &x[0], &x[1], &x[2], &x[3], &x[4], &x[5], &x[6], &r.place, &r.current, &r.line)
}

// proposalRows selects the proposals, each with its lines in their order. Most proposals have one line, and it equals
// the column current. The query returns NULL instead of such a line, so that it is not read twice.
const proposalRows = `SELECT p.id, source, category, state, checker, host, key, target, place, current, nullif(line, current)
	FROM proposals AS p CROSS JOIN step_lines AS l ON l.proposal = p.id ORDER BY p.id, l.id`

// verifyStates verifies that the stored state of each proposal follows from the lines of its steps. It returns the
// number of proposals in each group.
func (v View) verifyStates(ctx context.Context) (map[ProposalGroup]int64, error) {
	counts := map[ProposalGroup]int64{}
	var last proposalRow
	var state Proposal // after the lines of the last one so far
	lines := int64(0)
	for r, err := range query(ctx, v.q, counting(v.read, scanProposalRow), proposalRows) {
		if err != nil {
			return nil, err
		}
		if r.id != last.id {
			if err := last.verify(state, counts); err != nil {
				return nil, err
			}
			state = Proposal{}
		}
		r.whole = r.id != last.id && !r.line.Valid
		last = r
		lines++
		if err := state.apply(r.text()); err != nil {
			return nil, err
		}
	}
	if err := last.verify(state, counts); err != nil {
		return nil, err
	}
	return counts, v.verifyRows(ctx, counts, lines)
}

// text returns the line of the row. If the query returned NULL instead, it returns the column current, which equals the
// line.
func (r proposalRow) text() string {
	if r.line.Valid {
		return r.line.String
	}
	return r.current
}

// verify fails unless the columns of the row agree with the proposal p, the result of the row's lines. It adds one to
// the number of proposals in the group of p.
func (r proposalRow) verify(p Proposal, counts map[ProposalGroup]int64) error {
	if r.id == 0 {
		return nil
	}
	counts[p.group()]++
	host, err := p.host()
	if err != nil || r.id != p.ID || !r.whole && r.current != p.line() || r.place != p.place() ||
		r.indexes != [7]string{p.Source, p.Category, p.State, p.Checker, host, p.Key, p.Target} {
		return Damaged("proposal %d is not what the steps have led to", r.id)
	}
	return nil
}

// verifyRows fails if the ledger has more proposals or lines than were verified. The argument counts has the number of
// verified proposals in each group. The argument lines is the number of verified lines.
func (v View) verifyRows(ctx context.Context, counts map[ProposalGroup]int64, lines int64) error {
	var allLines, rows int64
	err := v.q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM step_lines), (SELECT count(*) FROM proposals)`).Scan(&allLines, &rows)
	if err != nil {
		return err
	}
	for n := range maps.Values(counts) {
		rows -= n
	}
	if rows != 0 {
		return Damaged("there are proposals that no step has made")
	}
	if lines == allLines {
		return nil
	}
	var missing int64
	err = v.q.QueryRowContext(ctx, `SELECT proposal FROM step_lines WHERE proposal NOT IN (SELECT id FROM proposals)`).Scan(&missing)
	return errors.Join(err, Damaged("proposal %d is not what the steps have led to", missing))
}
