package publish

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// issued is a signed document with urgent orders.
type issued struct {
	entries []blocklist.Entry
	pushed  time.Time // when the document was pushed; zero: not yet
	ended   time.Time // when the push of the next release ended the orders; zero: not yet
}

// issuedOrders returns the documents of urgent orders that were signed after a release (since), oldest first. Given
// serials, it returns only those that add to one of them. It leaves out documents that can't be read, for example
// because their list key is lost.
func (l *Ledger) issuedOrders(ctx context.Context, since ReleaseRecord, serials ...uint64) (
	all []issued, err error,
) {
	versions, err := l.orderVersions()
	if len(versions) == 0 || err != nil {
		return nil, err
	}
	orders := ledger.Range{After: since.Operation, Kinds: []string{KindUrgent, KindPush}}
	for o, err := range l.history.Operations(ctx, orders) {
		if err != nil {
			return nil, err
		}
		n := len(all)
		if o.Kind == KindPush {
			if n > 0 && all[n-1].pushed.IsZero() {
				all[n-1].pushed = o.Time
			}
			continue
		}
		number, serial, ok := documentOf(o)
		if !ok || len(serials) > 0 && !slices.Contains(serials, serial) {
			continue
		}
		if doc, ok := l.readIssued(ctx, trust.UrgentVersion(serial, number)); ok {
			if strings.Contains(o.Reason, foundAt) {
				doc.pushed = o.Time
			}
			next, err := l.history.ReleaseAfter(ctx, serial)
			if err != nil {
				return nil, err
			}
			doc.ended = next.Pushed
			all = append(all, doc)
		}
	}
	return all, nil
}

func (l *Ledger) readIssued(ctx context.Context, version int64) (doc issued, ok bool) {
	spec, err := l.readOrders(version)
	if err != nil {
		return doc, false
	}
	r, err := l.history.Release(ctx, spec.Serial)
	if err != nil {
		return doc, false
	}
	key, err := l.listKeyOf(r)
	if err == nil {
		err = spec.Open(key)
	}
	return issued{entries: spec.Entries}, err == nil
}

// ordered is the effect that urgent orders have on a target.
type ordered struct {
	from, until time.Time // period in which an order for the target is in force; zero: it never was
	waits       bool      // whether a signed document that is not pushed yet orders the target
	withdrawn   bool      // whether a signed document that is not pushed yet withdraws the target
}

// orderedBy returns the effect that the urgent orders in these documents have on a target.
func orderedBy(docs []issued, target string, now time.Time) (o ordered) {
	for _, doc := range docs {
		i := indexTarget(doc.entries, target)
		switch {
		case doc.pushed.IsZero():
			o.waits, o.withdrawn = i >= 0 && doc.entries[i].Expires.After(now), i < 0
			continue
		case i < 0:
			if o.until.After(doc.pushed) {
				o.until = doc.pushed
			}
		default:
			if !o.until.After(doc.pushed) {
				o.from = doc.pushed
			}
			if o.until = doc.entries[i].Expires; !doc.ended.IsZero() && doc.ended.Before(o.until) {
				o.until = doc.ended
			}
		}
		o.waits, o.withdrawn = false, false
	}
	return o
}

// withOrders adds urgent orders to e, the effect of a target without them, and returns the result.
func (f *effects) withOrders(ctx context.Context, e Effect, target string) (Effect, error) {
	o := orderedBy(f.issued, target, f.now)
	switch {
	case o.until.After(f.now) && (!e.InForce() || e.Monitor):
		in := Effect{State: EffectInForce, Urgent: true, Since: o.from, Until: o.until, Waits: e.Waits, Pending: e.Pending}
		if o.withdrawn && e.State != EffectDecided {
			in.State, in.Waits = EffectLeaving, WaitsPush
		}
		return in, nil
	case o.waits && e.State != EffectDecided && !e.InForce():
		return Effect{State: EffectDecided, Urgent: true, Waits: WaitsPush}, nil
	case e.InForce() && !e.Monitor:
		return f.sinceOrder(ctx, e, target)
	case e.State != EffectNever && e.State != EffectDropped && e.State != EffectEnded:
		return e, nil
	}
	return f.ended(ctx, e, target)
}

// ended returns e, the effect of a target that is not in force. If an urgent order was the last to block the target, it
// returns an effect with the state [EffectEnded] since the end of that order instead.
func (f *effects) ended(ctx context.Context, e Effect, target string) (Effect, error) {
	o, err := f.past(ctx, target)
	if o.until.After(e.Since) {
		return Effect{State: EffectEnded, Urgent: true, Since: o.until}, err
	}
	return e, err
}

// sinceOrder returns e, the effect of a target that the list blocks. If an urgent order blocked the target until the
// list did, it sets e.Since to the beginning of that order.
func (f *effects) sinceOrder(ctx context.Context, e Effect, target string) (Effect, error) {
	o, err := f.past(ctx, target)
	if !o.from.IsZero() && o.from.Before(e.Since) && !o.until.Before(e.Since) {
		e.Since = o.from
	}
	return e, err
}

// past returns the effect that urgent orders have had on a target. It includes the orders that added to earlier
// releases.
func (f *effects) past(ctx context.Context, target string) (ordered, error) {
	if f.ordered == nil {
		if err := f.readPast(ctx); err != nil {
			return ordered{}, err
		}
	}
	if len(f.ordered[target]) == 0 {
		return ordered{}, nil
	}
	return orderedBy(f.earlier, target, f.now), nil
}

// readPast reads the documents of urgent orders that may have ordered one of the targets. Each is read once, and those
// that add to other releases are not read.
func (f *effects) readPast(ctx context.Context) (err error) {
	if f.ordered, err = f.everOrdered(ctx); err != nil {
		return err
	}
	var serials []uint64
	for _, target := range f.targets {
		serials = append(serials, f.ordered[target]...)
	}
	slices.Sort(serials)
	if serials = slices.Compact(serials); len(serials) > 0 {
		f.earlier, err = f.issuedOrders(ctx, ReleaseRecord{}, serials...)
	}
	return err
}

// everOrdered returns the targets about which an urgent order was ever signed, each with the serials to which these
// orders added.
func (f *effects) everOrdered(ctx context.Context) (map[string][]uint64, error) {
	all := map[string][]uint64{}
	for o, err := range f.history.Operations(ctx, ledger.Range{Kinds: []string{KindUrgent}}) {
		if err != nil {
			return nil, err
		}
		_, serial, signed := documentOf(o)
		for _, line := range urgentLines(o) {
			if target, ok := strings.CutPrefix(line, "+"); ok && signed {
				all[target] = append(all[target], serial)
			}
		}
	}
	return all, nil
}
