package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// StepTx collects the lines of one [Step], in a database transaction.
type StepTx struct {
	View
	tx     *sql.Tx
	step   Step
	before Step // the previous step
	hash   hash.Hash
	next   int64 // ID of the next proposal
	counts map[ProposalGroup]int64

	putLine, insert, update, byKey, ofTarget *sql.Stmt
}

// ProposalGroup identifies a group of proposals that are counted together: those with the same source, category and
// state.
type ProposalGroup struct {
	Source   string `json:"source"`
	Category string `json:"category"`
	State    string `json:"state"`
}

func (p Proposal) group() ProposalGroup { return ProposalGroup{p.Source, p.Category, p.State} }

// Propose takes the lock and records one [Step], atomically. A step without lines is recorded only if its kind is
// [StepSource]. A trial records nothing, see [Ledger.Trial].
func (l *Ledger) Propose(ctx context.Context, kind string, a Audit, fill func(*StepTx) error) error {
	unlock, err := l.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return l.explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := recordStep(ctx, tx, l.list, kind, a, fill); err != nil {
		return l.explain(err)
	}
	if l.trial {
		return nil
	}
	return l.explain(tx.Commit())
}

// Step records a [Step] in the transaction of the operation.
func (t *Tx) Step(ctx context.Context, kind string, a Audit, fill func(*StepTx) error) error {
	return recordStep(ctx, t.tx, t.View.list, kind, a, fill)
}

// OperationID returns the ID of the operation, or 0 if it has changed no orders and recorded no checks so far.
func (t *Tx) OperationID() int64 {
	if !t.changed() {
		return 0
	}
	return t.op.ID
}

// SetReference sets the reference of the operation.
func (t *Tx) SetReference(reference string) { t.op.Reference = reference }

// SetReason adds a reason to an operation whose author has stated none. Notes in the recorded reason, such as the one
// about an override of the guards, stay.
func (t *Tx) SetReason(reason string) {
	if t.op.Reason != "" {
		reason += "; " + t.op.Reason
	}
	t.op.Reason = reason
}

func recordStep(ctx context.Context, tx *sql.Tx, list, kind string, a Audit, fill func(*StepTx) error) error {
	if err := a.Check(); err != nil {
		return err
	}
	t, err := beginStep(ctx, tx, list, kind, a)
	if err != nil {
		return err
	}
	if err := fill(t); err != nil {
		return err
	}
	if t.step.LastLine == t.before.LastLine && kind != StepSource {
		return nil
	}
	return t.record(ctx)
}

func beginStep(ctx context.Context, tx *sql.Tx, list, kind string, a Audit) (t *StepTx, err error) {
	t = &StepTx{View: View{q: tx, list: list}, tx: tx, hash: sha256.New(), counts: map[ProposalGroup]int64{}}
	if t.before, err = t.LastStep(ctx); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	t.step = Step{
		ID: t.before.ID + 1, Time: now, Author: a.Author, Kind: kind, Reason: a.recordedReason(false),
		Reference: a.Reference, LastLine: t.before.LastLine,
	}
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) + 1 FROM proposals`).Scan(&t.next); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&t.putLine, `INSERT INTO step_lines (id, proposal, line) VALUES (?, ?, ?)`},
		{&t.insert, `INSERT INTO proposals (id, source, category, state, place, checker, target, host, key, current)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&t.update, `UPDATE proposals SET category = ?, state = ?, checker = ?, current = ? WHERE id = ?`},
		{&t.byKey, `SELECT current FROM proposals WHERE source = ? AND key = ? AND key != ''`},
		{&t.ofTarget, `SELECT current FROM proposals WHERE source = ? AND target = ? ORDER BY id DESC`},
	} {
		if *p.stmt, err = tx.PrepareContext(ctx, p.text); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// record writes the row of the step and the counts, after all its lines.
func (t *StepTx) record(ctx context.Context) error {
	for g, n := range t.counts {
		if _, err := t.tx.ExecContext(ctx, `INSERT INTO proposal_counts VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET number = number + excluded.number`, g.Source, g.Category, g.State, n); err != nil {
			return err
		}
	}
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM proposal_counts WHERE number = 0`); err != nil {
		return err
	}
	s := t.step
	s.LinesHash = hex.EncodeToString(t.hash.Sum(nil))
	s.Hash = s.LinkHash(t.before.Hash)
	_, err := t.tx.ExecContext(ctx, `INSERT INTO steps (`+stepColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, s.ID,
		FormatTime(s.Time), s.Author, s.Kind, s.Reason, s.Reference, s.LastLine, s.LinesHash, s.Hash)
	return err
}

// ID returns the ID of the step.
func (t *StepTx) ID() int64 { return t.step.ID }

// Now returns the time of the step.
func (t *StepTx) Now() time.Time { return t.step.Time }

// Add records a new proposal, in state new, and returns it with its ID.
func (t *StepTx) Add(ctx context.Context, p Proposal) (Proposal, error) {
	p.ID, p.Step, p.State = t.next, t.step.ID, StateNew
	if p.ID >= maxProposals || p.Received.Unix() < 0 || p.Received.Unix() >= 1<<36 {
		return p, fmt.Errorf("proposal %d, received %s: %w", p.ID, FormatTime(p.Received), blocklist.ErrTooLarge)
	}
	t.next++
	host, err := p.host()
	if err != nil {
		return p, err
	}
	line := p.line()
	if err := t.log(ctx, p.ID, line); err != nil {
		return p, err
	}
	t.counts[p.group()]++
	return p, exec(ctx, t.insert, p.ID, p.Source, p.Category, p.State, p.place(), p.Checker, p.Target, host, p.Key, line)
}

// Update records a change of the proposal p, and returns p with the change. The argument change has only the fields
// that change.
func (t *StepTx) Update(ctx context.Context, p, change Proposal) (Proposal, error) {
	change.ID, change.Step = p.ID, t.step.ID
	line := change.line()
	if err := t.log(ctx, p.ID, line); err != nil {
		return p, err
	}
	t.counts[p.group()]--
	if err := p.apply(line); err != nil {
		return p, err
	}
	t.counts[p.group()]++
	return p, exec(ctx, t.update, p.Category, p.State, p.Checker, p.line(), p.ID)
}

// log records one line about a proposal.
func (t *StepTx) log(ctx context.Context, proposal int64, line string) error {
	t.step.LastLine++
	fmt.Fprintf(t.hash, "%s\n", line)
	return exec(ctx, t.putLine, t.step.LastLine, proposal, line)
}

// ProposalByKey returns the proposal of this source with this idempotency key. It returns false if there is none.
func (t *StepTx) ProposalByKey(ctx context.Context, source, key string) (p Proposal, ok bool, err error) {
	p, err = scanProposal(prepared{t.byKey}.QueryRowContext(ctx, "", source, key))
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	return p, err == nil, err
}

// ProposalsOf yields the proposals of a source about a target, the newest first.
func (t *StepTx) ProposalsOf(ctx context.Context, source, target string) iter.Seq2[Proposal, error] {
	return query(ctx, prepared{t.ofTarget}, scanProposal, "", source, target)
}

// LastStep returns the last step. If there is none, it has the ID 0 and the initial hash.
func (v View) LastStep(ctx context.Context) (Step, error) {
	s, err := scanStep(v.q.QueryRowContext(ctx, `SELECT `+stepColumns+` FROM steps ORDER BY id DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return Step{Hash: initialStepHash(v.list)}, nil
	}
	return s, err
}

// AnchorSteps records the hash of the last [Step] in an operation of [KindProposals], unless there are no steps or the
// last operation of this kind has the same hash. The caller holds the lock.
func (l *Ledger) AnchorSteps(ctx context.Context, author string) error {
	last, err := l.LastStep(ctx)
	if err != nil || last.ID == 0 {
		return err
	}
	var before string
	err = l.db.QueryRowContext(ctx, `SELECT reference FROM operations WHERE kind = ? ORDER BY id DESC LIMIT 1`, KindProposals).
		Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || before == last.anchor() {
		return err
	}
	return l.Record(ctx, KindProposals, Audit{
		Author: author, Reason: "the proposals until this release", Reference: last.anchor(),
	}, nil)
}
