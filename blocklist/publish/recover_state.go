package publish

import (
	"context"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// fill writes the release's entries and its record into the ledger. It leaves out the entries if the argument known is
// true: then the ledger has the operations that led to them. It removes the releases in v.drop.
func (v *recovery) fill(ctx context.Context, t *ledger.Tx, known bool) error {
	if !known {
		if err := v.replaceEntries(ctx, t); err != nil {
			return err
		}
	}
	if err := t.AdoptRelease(ctx, v.signed.Serial, v.signed.Ledger, v.signed.Entries, v.signed.Digest); err != nil {
		return err
	}
	for _, r := range v.drop {
		if err := t.ForgetRelease(ctx, r.Serial); err != nil {
			return err
		}
	}
	return t.SetMeta(ctx, metaSent, "")
}

// replaceEntries removes the entries that the release does not have, and then adds the entries that the ledger lacks. A
// changed entry is removed and added, so its published line becomes its only order.
func (v *recovery) replaceEntries(ctx context.Context, t *ledger.Tx) error {
	chain, _ := v.release.targets.UpdatePath(0) // ParseTargets has seen that there is one
	if v.lost {
		_, err := t.Put(ctx, v.to.lines(chain), admitAll, v.o.Progress)
		return err
	}
	difference := func() iter.Seq2[blocklist.Change, error] {
		return trust.Diff(v.to.history.Entries(ctx), v.to.lines(chain))
	}
	for c, err := range difference() {
		if err != nil {
			return err
		}
		if !c.Removed {
			continue
		}
		if err := t.Remove(ctx, c.Entry.Target()); err != nil {
			return err
		}
	}
	_, err := t.Put(ctx, added(difference()), admitAll, v.o.Progress)
	return err
}

// admitAll is the guard of a recovery, a [ledger.Screen] that holds no entry. The entries were listed before, and the
// guards will check the next release.
func admitAll(blocklist.Entry) func() bool { return nil }

// added yields the entries that the changes add.
func added(changes iter.Seq2[blocklist.Change, error]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for c, err := range changes {
			if (err != nil || !c.Removed) && !yield(c.Entry, err) {
				return
			}
		}
	}
}

// again returns the author, reason and reference with which a recovery records the operation o again.
func again(o Operation) Audit {
	reason := because(repeated.With(o.ID, Day(o.Time)).String(), o.Reason)
	return Audit{Author: o.Author, Reason: shorten(reason, maxText), Reference: o.Reference}
}

// maxText is the maximum length of a reason or reference in an operation, in bytes.
const maxText = 4 << 10

// shorten cuts a text to at most length bytes. A cut text ends with dots.
func shorten(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:max(length-3, 0)], "") + "..."
}

// describe returns the reason of the recovery operation: what was adopted, the notes, and the author's reason.
func (v *recovery) describe(known bool, why string) string {
	text := adopted.With(v.signed.Serial).String()
	switch {
	case !known && v.since == 0:
		text += "; " + unknownAll.Text
	case !known:
		text += "; " + unknownSince.With(v.since).String()
	}
	return because(shorten(strings.Join(append([]string{text}, v.r.Notes...), "; "), maxText-len(": "+why)), why)
}

// report sets Operation and Again in the result, from the operations that were recorded after head.
func (v *recovery) report(ctx context.Context, head Operation) error {
	for o, err := range v.to.history.Operations(ctx, ledger.Range{After: head.ID}) {
		switch {
		case err != nil:
			return err
		case o.Kind == KindRecover:
			v.r.Operation = o
		case o.Kind == KindSubscribe: // see [recovery.repeatSubscribers]
		case o.Kind == KindSkip && o.Reason == reasonAside:
		default:
			v.r.Again = append(v.r.Again, o)
		}
	}
	return nil
}
