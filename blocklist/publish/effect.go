package publish

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Effect is what subscribers do with a target now, and what the ledger has decided that is not in force yet. A decision
// comes into force when a release with it is pushed, and an urgent order when the order itself is pushed.
type Effect struct {
	State string `json:"state"` // one of the constants below
	// Since is when the state began: at a push or at an expiry. It is zero if the target never was in force.
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`   // when the state in force ends by itself; zero: it does not
	Serial uint64    `json:"serial,omitempty"` // the release with which the state began; 0: none
	// Waits is what the ledger's decision waits for before it is in force, one of the constants below; empty: it is in
	// force.
	Waits   string `json:"waits,omitempty"`
	Pending uint64 `json:"pending,omitempty"` // serial of the pending release that has the decision; 0: none
	Urgent  bool   `json:"urgent,omitempty"`  // the state comes from an urgent order
	Monitor bool   `json:"monitor,omitempty"` // the entry in force, or decided, only counts matches
}

// States of a target.
const (
	EffectNever   = "never"    // it was never listed
	EffectDecided = "decided"  // it is listed in the ledger, or ordered, and not in force yet
	EffectInForce = "in-force" // subscribers enforce it
	EffectLeaving = "leaving"  // it was withdrawn in the ledger, but subscribers still enforce it
	EffectExpired = "expired"  // it is still listed, but its time is over: it is not in force
	EffectEnded   = "ended"    // it was in force, and is not any more
	EffectDropped = "dropped"  // it was withdrawn before it came into force
)

// What a decision waits for.
const (
	WaitsRelease    = "release"
	WaitsSignatures = "signatures" // on the pending release
	WaitsPush       = "push"       // of the pending release, which has enough signatures, or of signed urgent orders
)

// InForce reports whether subscribers enforce the target.
func (e Effect) InForce() bool { return e.State == EffectInForce || e.State == EffectLeaving }

// Effects returns the effects of targets in canonical form at a time, which must not be before the last operation.
func (l *Ledger) Effects(ctx context.Context, targets []string, at time.Time) (map[string]Effect, error) {
	changes, err := l.history.History(ctx, targets)
	if err != nil {
		return nil, err
	}
	return l.effectsOf(ctx, targets, changes, at)
}

// effectsOf is [Ledger.Effects] with the changes of these targets in the ledger, which were already read.
func (l *Ledger) effectsOf(ctx context.Context, targets []string, changes []ledger.TargetChange, at time.Time) (
	map[string]Effect, error,
) {
	f := &effects{Ledger: l, now: at, releases: map[int64]ReleaseRecord{}}
	if err := f.read(ctx); err != nil {
		return nil, err
	}
	lives := map[string]*life{}
	for _, c := range changes {
		if lives[c.Target] == nil {
			lives[c.Target] = &life{}
		}
		if err := f.add(ctx, lives[c.Target], c); err != nil {
			return nil, err
		}
	}
	all := map[string]Effect{}
	for _, target := range targets {
		e := Effect{State: EffectNever}
		if of := lives[target]; of != nil {
			e = f.listing(of)
		}
		var err error
		if all[target], err = f.withOrders(ctx, e, target); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// effects finds the effects of targets.
type effects struct {
	*Ledger
	now      time.Time
	pending  *Pending // the pending release; nil: none
	upTo     int64    // the last operation in the pending release
	issued   []issued // urgent orders that add to the pushed release
	releases map[int64]ReleaseRecord
}

func (f *effects) read(ctx context.Context) error {
	if serial, upTo := f.pendingUpTo(ctx); serial > 0 {
		f.upTo = upTo
		f.pending, _ = f.waitingRelease() // it was read just now
	}
	last, err := f.history.LastRelease(ctx)
	if err != nil || last.Serial == 0 {
		return err
	}
	f.issued, err = f.issuedOrders(ctx, last)
	return err
}

// life is the history of a target in the ledger and in the releases, as far as it was read.
type life struct {
	// The line of the target in the ledger, in the pending release and in the newest pushed release; empty: not listed.
	decided, waiting, pushed string
	since                    ReleaseRecord // the release with which the present mode began
	ever                     bool          // the target was listed in an earlier pushed release

	reading      uint64 // serial of the release whose changes are being read
	before       string // the line in the release before it
	beforeBegins ReleaseRecord
}

// add applies one change of the ledger to the life of its target. The changes must come in the order of the ledger.
func (f *effects) add(ctx context.Context, of *life, c ledger.TargetChange) error {
	r, known := f.releases[c.Operation.ID]
	if !known {
		var err error
		if r, err = f.history.ReleaseOf(ctx, c.Operation.ID); err != nil {
			return err
		}
		f.releases[c.Operation.ID] = r
	}
	of.decided = c.After
	if r.Serial > 0 || c.Operation.ID <= f.upTo {
		of.waiting = c.After
	}
	if r.Serial > 0 {
		of.release(c.After, r)
	}
	return nil
}

// release applies a change that the pushed release r contains: afterwards the target has this line.
func (of *life) release(line string, r ReleaseRecord) {
	if of.reading != r.Serial {
		of.reading, of.before, of.beforeBegins = r.Serial, of.pushed, of.since
		of.ever = of.ever || of.pushed != ""
	}
	of.pushed, of.since = line, r
	if modeOf(of.before, r.Pushed) == modeOf(line, r.Pushed) {
		of.since = of.beforeBegins
	}
}

// mode is what an entry line makes subscribers do.
type mode int

const (
	nothing mode = iota
	monitors
	blocks
)

// modeOf returns the mode of a line at a time: an expired line does nothing.
func modeOf(line string, at time.Time) mode {
	e, err := blocklist.ParseEntry(line)
	switch {
	case line == "", err != nil, !e.Expires.IsZero() && !e.Expires.After(at):
		return nothing
	case e.Monitor:
		return monitors
	}
	return blocks
}

// listing returns the effect of a target without urgent orders.
func (f *effects) listing(of *life) Effect {
	now, next := modeOf(of.pushed, f.now), modeOf(of.decided, f.now)
	e := Effect{Since: of.since.Pushed, Serial: of.since.Serial, Until: expiryOf(of.pushed), Monitor: now == monitors}
	switch {
	case now != nothing && of.decided != "":
		e.State = EffectInForce
	case now != nothing:
		e.State = EffectLeaving
	case next != nothing:
		e = Effect{State: EffectDecided, Monitor: next == monitors, Until: expiryOf(of.decided)}
	case of.decided != "":
		return Effect{State: EffectExpired, Since: expiryOf(of.decided)}
	case of.pushed != "":
		return Effect{State: EffectExpired, Since: expiryOf(of.pushed), Serial: of.since.Serial}
	case of.ever:
		return Effect{State: EffectEnded, Since: of.since.Pushed, Serial: of.since.Serial}
	default:
		return Effect{State: EffectDropped}
	}
	if of.decided != of.pushed {
		e.Waits, e.Pending = f.waits(of)
	}
	return e
}

// waits returns what the ledger's decision about a target waits for, and the serial of the pending release that has it.
func (f *effects) waits(of *life) (what string, pending uint64) {
	switch {
	case f.pending == nil || of.waiting != of.decided:
		return WaitsRelease, 0
	case f.pending.Enough():
		return WaitsPush, f.pending.Serial
	}
	return WaitsSignatures, f.pending.Serial
}

// expiryOf returns the expiry of a line, zero if it has none.
func expiryOf(line string) time.Time {
	e, err := blocklist.ParseEntry(line)
	if err != nil {
		return time.Time{}
	}
	return e.Expires
}
