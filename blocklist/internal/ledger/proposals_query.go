package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// ProposalFilter selects proposals, sorted by reception, the newest first. The zero value selects all.
type ProposalFilter struct {
	States       []string  // only proposals in one of these states; empty: all
	Source       string    // only proposals from this source; empty: all
	Category     string    // only proposals of this category; empty: all
	Target       string    // only proposals about this target; a name also selects URLs with this host; empty: all
	NotChecker   string    // only proposals that this author did not check
	Since, Until time.Time // time of reception: at or after Since, before Until; zero: no limit
	IDs          []int64   // only proposals with these IDs; nil: all
	After        int64     // the page after the proposal with this ID; 0: the first page
	Oldest       bool      // whether the oldest come first
	Limit        int       // maximum number of proposals; 0: all
}

// Proposals yields the selected proposals. If the filter has a limit, the cost grows with the limit, not with the
// number of proposals in the ledger: each [ProposalGroup] is a sorted range of one index, and the ranges are merged;
// see [pageOfGroups].
func (v View) Proposals(ctx context.Context, f ProposalFilter) iter.Seq2[Proposal, error] {
	return func(yield func(Proposal, error) bool) {
		text, args, err := f.query(ctx, v)
		if err != nil {
			yield(Proposal{}, err)
			return
		}
		for p, err := range query(ctx, v.q, scanProposal, text, args...) {
			if !yield(p, err) {
				return
			}
		}
	}
}

func scanProposal(row scanner) (p Proposal, err error) {
	var current string
	if err = row.Scan(&current); err == nil {
		err = p.apply(current)
	}
	return p, err
}

// groups returns the conditions on source, category and state.
func (f ProposalFilter) groups() (c conditions) {
	if len(f.States) > 0 {
		c.add(`state IN (SELECT value FROM json_each(?))`, jsonArray(f.States))
	}
	if f.Source != "" {
		c.add(`source = ?`, f.Source)
	}
	if f.Category != "" {
		c.add(`category = ?`, f.Category)
	}
	return c
}

// others returns the conditions on all columns except source, category and state, for which see
// [ProposalFilter.groups], and except the ID.
func (f ProposalFilter) others(ctx context.Context, v View) (c conditions, err error) {
	if !f.Since.IsZero() {
		c.add(`place >= ?`, placeFrom(f.Since))
	}
	if !f.Until.IsZero() {
		c.add(`place < ?`, placeFrom(f.Until))
	}
	if f.NotChecker != "" {
		c.add(`checker != ?`, f.NotChecker)
	}
	if f.After != 0 {
		p, err := v.Proposal(ctx, f.After)
		if err != nil {
			return c, err
		}
		if f.Oldest {
			c.add(`place > ?`, p.place())
		} else {
			c.add(`place < ?`, p.place())
		}
	}
	if f.Target == "" {
		return c, nil
	}
	e, err := blocklist.ParseEntry(f.Target)
	if e.Scope == blocklist.ScopeURL {
		c.add(`target = ?`, e.Target())
	} else if err == nil {
		c.add(`host = ?`, HostOf(e))
	}
	return c, err
}

// query returns the SQL statement for the filter, and its arguments.
func (f ProposalFilter) query(ctx context.Context, v View) (text string, args []any, err error) {
	direction := ` DESC`
	if f.Oldest {
		direction = ``
	}
	groups := f.groups()
	c, err := f.others(ctx, v)
	if err != nil {
		return "", nil, err
	}
	if f.IDs != nil {
		c.all, c.args = append(c.all, groups.all...), append(c.args, groups.args...)
		return `SELECT current FROM (SELECT DISTINCT value AS of FROM json_each(?)) CROSS JOIN proposals ON id = of` + c.where() +
			` ORDER BY place` + direction + ` LIMIT ?`, slices.Concat([]any{jsonArray(f.IDs)}, c.args, []any{cmp.Or(f.Limit, math.MaxInt)}), nil
	}
	if len(groups.all) == 0 || f.Target != "" || f.Limit == 0 {
		c.all, c.args = append(c.all, groups.all...), append(c.args, groups.args...)
		return `SELECT current FROM proposals` + c.where() + ` ORDER BY place` + direction + ` LIMIT ?`,
			append(c.args, cmp.Or(f.Limit, math.MaxInt)), nil
	}
	c.all = append([]string{`source = g.source`, `category = g.category`, `state = g.state`}, c.all...)
	aggregate, beyond := `min`, `>=`
	if f.Oldest {
		aggregate, beyond = `max`, `<=`
	}
	text = fmt.Sprintf(pageOfGroups, direction, c.where(), groups.where(), aggregate, beyond)
	args = slices.Concat(c.args, groups.args, []any{f.Limit, f.Limit}, c.args, []any{f.Limit, f.Limit})
	return text, args, nil
}

// pageOfGroups selects a page of n proposals from several groups: combinations of source, category and state. Its
// formatting verbs stand for the sort direction, the conditions on a proposal of a group, the conditions on groups, and
// the aggregate and the comparison that bound the page. The groups are sorted by their first proposal. Only the first n
// groups can have a proposal on the page, so the statement merges only these.
const pageOfGroups = `
WITH
	chosen AS MATERIALIZED (
		SELECT source, category, state,
			(SELECT place FROM proposals INDEXED BY proposals_page%[2]s ORDER BY place%[1]s LIMIT 1) AS first
		FROM proposal_counts AS g%[3]s ORDER BY first IS NULL, first%[1]s LIMIT ?),
	bound AS MATERIALIZED (SELECT iif(count(first) = ?, %[4]s(first), NULL) AS last FROM chosen),
	found AS MATERIALIZED (
		SELECT j.value AS place FROM bound CROSS JOIN chosen AS g CROSS JOIN json_each((
			SELECT json_group_array(place) FROM (
				SELECT place FROM proposals INDEXED BY proposals_page%[2]s
					AND (bound.last IS NULL OR place %[5]s bound.last) ORDER BY place%[1]s LIMIT ?))) AS j
		ORDER BY place%[1]s LIMIT ?)
SELECT p.current FROM found CROSS JOIN proposals AS p ON p.place = found.place ORDER BY p.place%[1]s`

// ErrNoProposal is returned if there is no proposal with the given ID. It wraps [blocklist.ErrMalformed].
var ErrNoProposal = fmt.Errorf("%w: there is no such proposal", blocklist.ErrMalformed)

// Proposal returns the proposal with this ID. It fails with [ErrNoProposal] if there is none.
func (v View) Proposal(ctx context.Context, id int64) (Proposal, error) {
	p, err := scanProposal(v.q.QueryRowContext(ctx, `SELECT current FROM proposals WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("proposal %d: %w", id, ErrNoProposal)
	}
	return p, err
}

// ProposalsAbout yields the newest proposals about a target, at most limit.
func (v View) ProposalsAbout(ctx context.Context, target string, limit int) iter.Seq2[Proposal, error] {
	return query(ctx, v.q, scanProposal, `SELECT current FROM proposals WHERE target = ? ORDER BY id DESC LIMIT ?`, target, limit)
}

// ProposalAbout is a proposal about one of several given targets.
type ProposalAbout struct {
	Index         int // index of the target in the argument of [View.ProposalsAboutEach]
	ID            int64
	Source, State string
	Reason        string // why the proposal was refused; empty in other states
}

func scanProposalAbout(row scanner) (p ProposalAbout, err error) {
	return p, row.Scan(&p.Index, &p.ID, &p.Source, &p.State, &p.Reason)
}

// ProposalsAboutEach yields the newest proposals about each of the targets, at most limit for each target.
func (v View) ProposalsAboutEach(ctx context.Context, targets []string, limit int) iter.Seq2[ProposalAbout, error] {
	return query(ctx, v.q, scanProposalAbout, `SELECT t.key, p.id, p.source, p.state,
		CASE p.state WHEN '`+StateRefused+`' THEN (SELECT reason FROM steps WHERE id = json_extract(p.current, '$.step')) ELSE '' END
		FROM json_each(?) AS t
		CROSS JOIN proposals AS p ON p.id IN (SELECT id FROM proposals WHERE target = t.value ORDER BY id DESC LIMIT ?)
		ORDER BY t.key, p.id DESC`, jsonArray(targets), limit)
}

// ProposalsFrom yields all proposals of a source, sorted by target, and for each target oldest first.
func (v View) ProposalsFrom(ctx context.Context, source string) iter.Seq2[Proposal, error] {
	return query(ctx, v.q, scanProposal, `SELECT current FROM proposals WHERE source = ? ORDER BY target, id`, source)
}

// ProposalStep is a [Step] with its change of one proposal: the Proposal has only the changed fields.
type ProposalStep struct {
	Step
	Change Proposal `json:"change"`
}

// StepsOf yields the steps of a proposal, oldest first.
func (v View) StepsOf(ctx context.Context, proposal int64) iter.Seq2[ProposalStep, error] {
	scan := func(row scanner) (s ProposalStep, err error) {
		var line string
		if s.Step, err = scanStep(extra{row, []any{&line}}); err == nil {
			err = s.Change.apply(line)
		}
		return s, err
	}
	return query(ctx, v.q, scan, `SELECT s.id, time, author, kind, reason, reference, last_line, lines_hash, hash, line
		FROM step_lines AS l CROSS JOIN steps AS s ON s.id = json_extract(l.line, '$.step') WHERE l.proposal = ? ORDER BY l.id`,
		proposal)
}

// Steps yields the steps with IDs above the argument after, oldest first. If kinds are given, it yields only steps of
// these kinds.
func (v View) Steps(ctx context.Context, after int64, kinds ...string) iter.Seq2[Step, error] {
	c := conditions{}
	c.add(`id > ?`, after)
	if len(kinds) > 0 {
		c.add(`kind IN (SELECT value FROM json_each(?))`, jsonArray(kinds))
	}
	return query(ctx, v.q, scanStep, `SELECT `+stepColumns+` FROM steps`+c.where()+` ORDER BY id`, c.args...)
}

// ProposalCount is the number of proposals in a group, see [ProposalGroup].
type ProposalCount struct {
	ProposalGroup
	Number uint64 `json:"number"`
}

// ProposalCounts returns the number of proposals in each group that has any, sorted by source, category and state.
func (v View) ProposalCounts(ctx context.Context) ([]ProposalCount, error) {
	return collect(query(ctx, v.q, scanProposalCount,
		`SELECT source, category, state, number FROM proposal_counts ORDER BY source, category, state`))
}

func scanProposalCount(row scanner) (c ProposalCount, err error) {
	return c, row.Scan(&c.Source, &c.Category, &c.State, &c.Number)
}

// CheckedCount is the number of proposals of one category that one checker has checked and a second person must still
// confirm.
type CheckedCount struct {
	Checker, Category string
	Number            uint64
}

// CheckedCounts returns the numbers of checked proposals, for each checker and category.
func (v View) CheckedCounts(ctx context.Context) ([]CheckedCount, error) {
	scan := func(row scanner) (c CheckedCount, err error) { return c, row.Scan(&c.Checker, &c.Category, &c.Number) }
	return collect(query(ctx, v.q, scan, `SELECT p.checker, p.category, count(*) FROM proposal_counts AS g
		CROSS JOIN proposals AS p INDEXED BY proposals_page ON (p.source, p.category, p.state) = (g.source, g.category, g.state)
		WHERE g.state = ? GROUP BY p.checker, p.category`, StateChecked))
}

// ProposalDecision is a change of an existing proposal by a [Step].
type ProposalDecision struct {
	State    string    // state after the step
	Received time.Time // time when the proposal was received
	At       time.Time // time of the step
	Alone    bool      // whether the proposal has no Checker, see [Proposal]
}

func scanProposalDecision(row scanner) (d ProposalDecision, err error) {
	var received int64
	var at string
	if err = row.Scan(&d.State, &received, &at, &d.Alone); err != nil {
		return d, err
	}
	if d.At, err = time.Parse(time.RFC3339, at); err != nil {
		return d, Damaged("a step of the proposals has the time %q", at)
	}
	d.Received = time.Unix(received, 0)
	return d, nil
}

// ProposalDecisions yields the changes of existing proposals, oldest first: those recorded from the argument begin up
// to, but not including, the argument end. A zero time is no limit. Lines that make new proposals are left out.
func (v View) ProposalDecisions(ctx context.Context, begin, end time.Time) iter.Seq2[ProposalDecision, error] {
	c := conditions{}
	c.add(`instr(line, '"state":"` + StateNew + `"') = 0`)
	if !begin.IsZero() {
		c.add(`time >= ?`, FormatTime(begin))
	}
	if !end.IsZero() {
		c.add(`time < ?`, FormatTime(end))
	}
	return query(ctx, v.q, scanProposalDecision, fmt.Sprintf(`SELECT json_extract(line, '$.state'), place / %d, time, checker = ''
		FROM steps AS s
		CROSS JOIN step_lines AS l ON l.id > ifnull((SELECT last_line FROM steps WHERE id = s.id - 1), 0) AND l.id <= s.last_line
		CROSS JOIN proposals AS p ON p.id = l.proposal`, maxProposals)+c.where()+` ORDER BY l.id`, c.args...)
}

// ProposalsReceived returns the number of proposals received from the argument begin up to, but not including, the
// argument end; a zero time is no limit.
func (v View) ProposalsReceived(ctx context.Context, begin, end time.Time) (n uint64, err error) {
	c, err := ProposalFilter{Since: begin, Until: end}.others(ctx, v)
	if err != nil {
		return 0, err
	}
	return n, v.q.QueryRowContext(ctx, `SELECT count(*) FROM proposals`+c.where(), c.args...).Scan(&n)
}
