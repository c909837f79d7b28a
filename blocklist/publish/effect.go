package publish

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Effect is what subscribers make of a target, and what the ledger has decided beyond that. A decision has an effect
// only when a release with it was pushed, and an urgent order when it was pushed itself.
type Effect struct {
	State string `json:"state"` // one of the constants below
	// Since is when the state began: at a push or at an expiry. It is zero for what never was in force.
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`   // when what is in force ends by itself
	Serial uint64    `json:"serial,omitempty"` // the release with which the state began; 0: none
	// Waits is what is missing until the ledger's decision counts, one of the constants below; empty: it does already.
	Waits   string `json:"waits,omitempty"`
	Pending uint64 `json:"pending,omitempty"` // serial of the pending release that has the decision; 0: none
	Urgent  bool   `json:"urgent,omitempty"`  // by an urgent order
	Monitor bool   `json:"monitor,omitempty"` // what is in force, or decided, only counts matches
}

// States of a target.
const (
	EffectNever   = "never"    // it was never listed
	EffectDecided = "decided"  // it is listed in the ledger, or ordered, and not in force yet
	EffectInForce = "in-force" // subscribers enforce it
	EffectLeaving = "leaving"  // it was withdrawn, and subscribers still enforce it
	EffectExpired = "expired"  // it is still listed, but its time is over: it is not in force
	EffectEnded   = "ended"    // it was in force, and is not any more
	EffectDropped = "dropped"  // it was withdrawn before it came into force
)

// What a decision waits for.
const (
	WaitsRelease    = "release"
	WaitsSignatures = "signatures" // on the pending release
	WaitsPush       = "push"       // the pending release has enough signatures; or urgent orders are signed
)

// InForce reports whether subscribers enforce the target.
func (e Effect) InForce() bool { return e.State == EffectInForce || e.State == EffectLeaving }

// Effects returns the effects of targets in canonical form at a time, which is not before the last operation.
func (l *Ledger) Effects(ctx context.Context, targets []string, at time.Time) (map[string]Effect, error) {
	changes, err := l.history.History(ctx, targets)
	if err != nil {
		return nil, err
	}
	return l.effectsOf(ctx, targets, changes, at)
}

// effectsOf returns the effects of targets that have changes.
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
	pending  *Pending // release; nil: none
	upTo     int64    // the last operation in it
	issued   []issued // urgent orders on top of the pushed release
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

// life is how a target went through the ledger and the releases.
type life struct {
	// Its line in the ledger, in the pending release and in the newest pushed release; empty: none.
	decided, waiting, pushed string
	since                    ReleaseRecord // the release with which what is in force began
	ever                     bool          // it was in a release before that one

	reading      uint64 // serial of the release whose changes are being read
	before       string // the line in the release before that
	beforeBegins ReleaseRecord
}

// add adds a change, in the order of the ledger.
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

// release adds the line that a target got by a change in a release.
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

// mode is what a line does.
type mode int

const (
	nothing mode = iota
	monitors
	blocks
)

// modeOf returns what a line of a release does at a time.
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

// waits returns what the ledger's decision about a target waits for.
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
