package publish

import (
	"context"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Effect says what subscribers do with a target now, and what the ledger has decided about the target for later. A
// decision comes into force when a release with that decision is pushed. An urgent order comes into force when the
// order itself is pushed.
type Effect struct {
	State string `json:"state"` // EffectNever, EffectDecided or another state below
	// Since is when the state began: at a push or at an expiry. It is zero if the target was never in force. A listing
	// that follows an urgent order without a gap began with the order.
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`   // expiry of the entry in force, or else of the decided entry; zero: none
	Serial uint64    `json:"serial,omitempty"` // serial of the release with which the state began; 0: none
	// Waits is what a decision that is not in force yet waits for: WaitsRelease, WaitsSignatures or WaitsPush. It is empty
	// if the decision is in force.
	Waits   string `json:"waits,omitempty"`
	Pending uint64 `json:"pending,omitempty"` // serial of the pending release that has the decision; 0: none
	Urgent  bool   `json:"urgent,omitempty"`  // whether the state comes from an urgent order
	// Monitor reports whether the entry in force, or the decided one, only counts matches (status=monitor).
	Monitor bool `json:"monitor,omitempty"`
	// Page reports whether the target is a URL. A resolver does not see URLs, so only other subscribers, such as
	// proxies, enforce the target. A receipt does not say which kind of subscriber has sent it.
	Page bool `json:"page,omitempty"`
}

// States of a target.
const (
	EffectNever   = "never"    // the target was never listed
	EffectDecided = "decided"  // the target is listed in the ledger, or has an urgent order, but is not in force yet
	EffectInForce = "in-force" // subscribers enforce the target
	EffectLeaving = "leaving"  // the target was withdrawn in the ledger, but subscribers still enforce it
	EffectExpired = "expired"  // the target is still listed, but has expired: it is not in force
	EffectEnded   = "ended"    // the target was in force, and is no longer
	EffectDropped = "dropped"  // the target was withdrawn before it came into force
)

// Values of [Effect].Waits: the next step before a decision comes into force.
const (
	WaitsRelease    = "release"
	WaitsSignatures = "signatures" // the pending release lacks signatures
	// WaitsPush: the pending release has enough signatures, or urgent orders are signed, and the push is next.
	WaitsPush = "push"
)

// InForce reports whether subscribers enforce the target.
func (e Effect) InForce() bool { return e.State == EffectInForce || e.State == EffectLeaving }

// Effects returns the effects of targets at a time, by target. The targets must be in canonical form. The time must not
// be before the last operation.
func (l *Ledger) Effects(ctx context.Context, targets []string, at time.Time) (map[string]Effect, error) {
	changes, err := l.history.History(ctx, targets)
	if err != nil {
		return nil, err
	}
	return l.effectsOf(ctx, targets, changes, at)
}

// effectsOf is [Ledger.Effects] for a caller that has already read the ledger's changes of these targets.
func (l *Ledger) effectsOf(ctx context.Context, targets []string, changes []ledger.TargetChange, at time.Time) (
	map[string]Effect, error,
) {
	f, lives, err := l.replay(ctx, targets, changes, at)
	if err != nil {
		return nil, err
	}
	all := map[string]Effect{}
	for _, target := range targets {
		e, err := f.withOrders(ctx, f.listing(lives[target]), target)
		if err != nil {
			return nil, err
		}
		e.Page = strings.HasPrefix(target, "https://")
		all[target] = e
	}
	return all, nil
}

// blockedByRelease returns which of the targets the release in force blocks at a time, whatever urgent orders say.
func (l *Ledger) blockedByRelease(ctx context.Context, targets []string, at time.Time) (map[string]bool, error) {
	changes, err := l.history.History(ctx, targets)
	if err != nil {
		return nil, err
	}
	f, lives, err := l.replay(ctx, targets, changes, at)
	blocked := map[string]bool{}
	for target, of := range lives {
		e := f.listing(of)
		blocked[target] = e.InForce() && !e.Monitor
	}
	return blocked, err
}

// replay replays the given changes of targets. It returns the state in which they leave each target, as the map lives;
// targets without a change are not in it. The result f computes effects from these states.
func (l *Ledger) replay(ctx context.Context, targets []string, changes []ledger.TargetChange, at time.Time) (
	f *effects, lives map[string]*life, err error,
) {
	f, lives = &effects{Ledger: l, now: at, targets: targets, releases: map[int64]ReleaseRecord{}}, map[string]*life{}
	if err := f.read(ctx); err != nil {
		return nil, nil, err
	}
	for _, c := range changes {
		if lives[c.Target] == nil {
			lives[c.Target] = &life{}
		}
		if err := f.add(ctx, lives[c.Target], c); err != nil {
			return nil, nil, err
		}
	}
	return f, lives, nil
}

// effects computes the effects of targets at one moment.
type effects struct {
	*Ledger
	now      time.Time // the moment
	targets  []string
	pending  *Pending // the pending release; nil: none
	upTo     int64    // number of the last operation in the pending release
	issued   []issued // urgent orders that add to the pushed release
	releases map[int64]ReleaseRecord
	earlier  []issued // urgent orders that add to the releases in the field ordered
	// ordered has the targets about which an urgent order was ever signed, with the serials to which these orders
	// added; nil: not read yet.
	ordered map[string][]uint64
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

// life is the state of a target while its changes are replayed: in the ledger, in the pending release and in the pushed
// releases.
type life struct {
	// The line of the target in the ledger, in the pending release and in the newest pushed release; empty: not listed.
	decided, waiting, pushed string
	since                    ReleaseRecord // the release with which the current mode (see [mode]) began
	ever                     bool          // whether an earlier pushed release listed the target

	reading      uint64 // serial of the release whose changes are being replayed
	before       string // the line in the release before the one that is being replayed
	beforeBegins ReleaseRecord
}

// add applies one change to the life of its target. Changes must come in the order of the ledger.
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

// release applies a change of the pushed release r. The argument line is the target's line after the change.
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

// mode is what subscribers do because of an entry line.
type mode int

const (
	nothing mode = iota
	monitors
	blocks
)

// modeOf returns the mode of a line at a time. An expired line has the mode [nothing].
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

// listing returns the effect of a target without regard to urgent orders. The life is nil if the target was never
// listed.
func (f *effects) listing(of *life) Effect {
	if of == nil {
		return Effect{State: EffectNever}
	}
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

// waits returns what the ledger's decision about a target waits for, and the serial of the pending release with that
// decision (0: none).
func (f *effects) waits(of *life) (what string, pending uint64) {
	switch {
	case f.pending == nil || of.waiting != of.decided:
		return WaitsRelease, 0
	case f.pending.Enough():
		return WaitsPush, f.pending.Serial
	}
	return WaitsSignatures, f.pending.Serial
}

// expiryOf returns the expiry of an entry line, or the zero time if the line has none.
func expiryOf(line string) time.Time {
	e, err := blocklist.ParseEntry(line)
	if err != nil {
		return time.Time{}
	}
	return e.Expires
}
