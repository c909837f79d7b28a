package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// DecisionKinds returns the kinds of steps that are decisions on proposals by a person. [StepConfirm] is not among
// them: an operation of [KindConfirm] tells of it.
func DecisionKinds() []string { return []string{StepCheck, StepRefuse, StepRefer, StepWithdraw} }

// IsDecision reports whether the step is a decision on proposals, see [DecisionKinds].
func (s Step) IsDecision() bool { return slices.Contains(DecisionKinds(), s.Kind) }

// AsOperation returns an operation with the ID, time, author, reason and reference of the step, to be shown like one.
func (s Step) AsOperation() Operation {
	return Operation{ID: s.ID, Time: s.Time, Author: s.Author, Reason: s.Reason, Reference: s.Reference}
}

// Decided is a proposal that a step has changed.
type Decided struct {
	ID     int64  `json:"id"`
	Target string `json:"target"`
	Source string `json:"source"`
	State  string `json:"state"` // state after the step
}

// LoggedStep is a step with the first proposals that it changed.
type LoggedStep struct {
	Step
	Lines uint64    // number of proposals that the step changed
	First []Decided // the first of them
}

// More returns the number of proposals that are not in First.
func (s LoggedStep) More() uint64 { return s.Lines - min(s.Lines, uint64(len(s.First))) }

// decidedIn and decidedLines select the proposals in the lines of a step. The conditions on these lines come between.
const (
	decidedIn = `SELECT l.proposal AS id, p.target, p.source, coalesce(json_extract(l.line, '$.state'), '') AS state
	FROM (SELECT * FROM step_lines WHERE `
	decidedLines = ` ORDER BY id LIMIT ?1) AS l CROSS JOIN proposals AS p ON p.id = l.proposal`
)

// loggedSteps selects steps with the number of their lines, and the first proposals in these lines.
const loggedSteps = `SELECT ` + stepColumns + `, max(last_line - start, 0),
	(SELECT json_group_array(json_object('id', id, 'target', target, 'source', source, 'state', state)) FROM (` +
	decidedIn + `id > s.start AND id <= s.last_line` + decidedLines + `))
FROM (
	SELECT *, coalesce((SELECT last_line FROM steps WHERE id = step.id - 1), 0) AS start
	FROM steps AS step WHERE id IN (%s)) AS s
ORDER BY time, id`

// Decisions yields the decisions on proposals that a filter selects, oldest first, sorted by time and ID. The filter's
// kinds are those of steps, its targets those of the proposals. Before is the ID of a decision: only earlier ones are
// selected.
func (v View) Decisions(ctx context.Context, f Filter) iter.Seq2[LoggedStep, error] {
	scan := func(row scanner) (s LoggedStep, err error) {
		var first string
		if s.Step, err = scanStep(extra{row, []any{&s.Lines, &first}}); err != nil {
			return s, err
		}
		return s, json.Unmarshal([]byte(first), &s.First)
	}
	text, args := f.queryDecisions()
	return query(ctx, v.q, scan, text, args...)
}

// queryDecisions returns the SQL statement for the decisions that the filter selects, and its arguments. It selects the
// newest decisions of each kind by the index of decisions.
func (f Filter) queryDecisions() (text string, args []any) {
	kinds := DecisionKinds()
	if len(f.Kinds) > 0 {
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return !slices.Contains(f.Kinds, kind) })
	}
	before := f.Before
	f.Before = 0
	c := f.conditions()
	kind := isDecision + ` AND kind = ?`
	if f.IDs != nil || len(f.Targets) > 0 {
		kind = `+kind = ?` // few steps: the index would be slower
	}
	if before > 0 {
		c.add(`(time, id) < (SELECT time, id FROM steps WHERE id = ?)`, before)
	}
	if len(f.Targets) > 0 {
		c.add(`id IN (SELECT json_extract(l.line, '$.step') FROM json_each(?) AS t CROSS JOIN proposals AS p ON p.target = t.value
			CROSS JOIN step_lines AS l ON l.proposal = p.id)`, jsonArray(f.Targets))
	}
	args = []any{firstLines}
	var ofEach []string
	for _, k := range kinds {
		one := conditions{all: append([]string{kind}, c.all...), args: append([]any{k}, c.args...)}
		ofEach = append(ofEach, `SELECT * FROM (SELECT id, time FROM steps`+one.where()+` ORDER BY time DESC, id DESC LIMIT ?)`)
		args = append(append(args, one.args...), f.limit())
	}
	if len(ofEach) == 0 {
		ofEach = []string{`SELECT id, time FROM steps WHERE false`}
	}
	selected := `SELECT id FROM (` + strings.Join(ofEach, ` UNION ALL `) + `) ORDER BY time DESC, id DESC LIMIT ?`
	return fmt.Sprintf(loggedSteps, selected), append(args, f.limit())
}

// DecisionByID returns the decision on proposals with an ID. Its First is not set. It fails with [sql.ErrNoRows] if
// there is none.
func (v View) DecisionByID(ctx context.Context, id int64) (s LoggedStep, err error) {
	row := v.q.QueryRowContext(ctx, `SELECT `+stepColumns+`, last_line - coalesce((SELECT last_line FROM steps WHERE id = s.id - 1), 0)
		FROM steps AS s WHERE id = ? AND `+isDecision, id)
	s.Step, err = scanStep(extra{row, []any{&s.Lines}})
	return s, err
}

// DecidedBy yields the proposals that a step has changed, in the order of its lines. It leaves out the first skip ones,
// and then yields at most limit.
func (v View) DecidedBy(ctx context.Context, s LoggedStep, skip, limit int64) iter.Seq2[Decided, error] {
	scan := func(row scanner) (d Decided, err error) { return d, row.Scan(&d.ID, &d.Target, &d.Source, &d.State) }
	return query(ctx, v.q, scan, decidedIn+`id > ?2 AND id <= ?3`+decidedLines+` ORDER BY l.id`, limit,
		s.LastLine-int64(s.Lines)+skip, s.LastLine)
}

// DecisionAbout is what a step has decided on one proposal.
type DecisionAbout struct {
	Step     `json:"step"`
	Proposal Decided `json:"proposal"`
}

// DecisionsAbout yields the decisions on the proposals about targets, oldest first, except for proposals by which an
// operation gave or withdrew an order.
func (v View) DecisionsAbout(ctx context.Context, targets []string) iter.Seq2[DecisionAbout, error] {
	scan := func(row scanner) (d DecisionAbout, err error) {
		d.Step, err = scanStep(extra{row, []any{&d.Proposal.ID, &d.Proposal.Target, &d.Proposal.Source, &d.Proposal.State}})
		return d, err
	}
	return query(ctx, v.q, scan, `SELECT s.id, time, author, s.kind, reason, reference, last_line, lines_hash, hash,
			p.id, p.target, p.source, json_extract(l.line, '$.state') AS decided
		FROM json_each(?) AS t CROSS JOIN proposals AS p ON p.target = t.value CROSS JOIN step_lines AS l ON l.proposal = p.id
		CROSS JOIN steps AS s ON s.id = json_extract(l.line, '$.step')
		WHERE json_extract(p.current, '$.operation') IS NULL AND decided != '`+StateNew+`' ORDER BY l.id`, jsonArray(targets))
}
