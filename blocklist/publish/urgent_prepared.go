package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// preparedOrders is the content of pending/urgent.json: a document of urgent orders that waits for an officer's
// signature, with the person who has asked for the orders, and the reason.
type preparedOrders struct {
	Author    string `json:"author"`
	Reason    string `json:"reason,omitempty"`
	Reference string `json:"reference,omitempty"`
	Document  []byte `json:"document"`
}

// PrepareUrgent makes urgent orders that wait for an officer's signature. [Ledger.AddSignature] adds the signature. If
// other orders already wait, the new orders are added to them: one signature puts all of them in force. PrepareUrgent
// fails like [Ledger.SignUrgent].
func (l *Ledger) PrepareUrgent(ctx context.Context, change UrgentChange, c Audit) (*Pending, error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return l.prepare(ctx, change, c)
}

// TryUrgent is a dry run of [Ledger.PrepareUrgent]: it returns the same result, but changes nothing.
func (l *Ledger) TryUrgent(ctx context.Context, change UrgentChange, c Audit) (*Pending, error) {
	o, err := l.nextOrders(ctx, change, c)
	if err != nil {
		return nil, err
	}
	return l.pendingOrders(l.path(pendingDir, urgentFile), o)
}

func (l *Ledger) prepare(ctx context.Context, change UrgentChange, c Audit) (*Pending, error) {
	o, err := l.nextOrders(ctx, change, c)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if err := disk.MkdirAll(l.path(pendingDir)); err != nil {
		return nil, err
	}
	if err := disk.WriteFile(l.path(pendingDir, urgentFile), b, disk.Inherit); err != nil {
		return nil, err
	}
	return l.preparedUrgent()
}

// nextOrders returns prepared orders in which a change was made. The change applies to the orders that wait for a
// signature, or else to those in force.
func (l *Ledger) nextOrders(ctx context.Context, change UrgentChange, c Audit) (o preparedOrders, err error) {
	h, waiting, err := l.ordersSoFar(ctx)
	if err != nil {
		return o, err
	}
	o, from := preparedOrders{Author: c.Author, Reason: c.Reason, Reference: c.Reference}, h.lasting()
	if waiting != nil {
		from = unexpired(waiting.orders)
		o.Author = joined(waiting.Author, ", ", c.Author)
		o.Reason = joined(waiting.Reason, "; ", c.Reason)
		o.Reference = joined(waiting.Reference, ", ", c.Reference)
	}
	if o.Document, err = l.makeOrders(ctx, h, from, change, c); err != nil {
		return o, err
	}
	orders, err := trust.ReviewUrgent(h.root, o.Document, h.key)
	if err == nil {
		err = o.audit(h.describe(orders.Entries)).Check()
	}
	return o, err
}

// joined appends a text to the existing texts, after a separator. It does not append a text that is there already.
func joined(existing, separator, text string) string {
	if existing == "" || text == "" || slices.Contains(strings.Split(existing, separator), text) {
		return cmp.Or(existing, text)
	}
	return existing + separator + text
}

// ordersSoFar returns the signed urgent orders that add to the last pushed release, and the orders that wait for a
// signature (nil: none wait). It counts both for the limits.
func (l *Ledger) ordersSoFar(ctx context.Context) (h *orderHistory, waiting *Pending, err error) {
	if h, err = l.orderHistory(ctx); err != nil {
		return nil, nil, err
	}
	waiting, err = l.PendingUrgent(ctx)
	if errors.Is(err, ErrNothingPending) {
		return h, nil, nil
	}
	if err == nil {
		h.note(waiting.orders)
	}
	return h, waiting, err
}

// prepareAgain prepares the waiting orders again after other orders were signed. The waiting orders become a change to
// the orders that are now in force. Before has the signed orders for which the waiting ones were first prepared.
func (l *Ledger) prepareAgain(ctx context.Context, before []blocklist.Entry, waiting *Pending) error {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return err
	}
	var change UrgentChange
	for c := range orderChanges(before, unexpired(waiting.orders)) { //nolint:errcheck // entries in memory have no errors
		switch target := c.Entry.Target(); {
		case !c.Removed:
			change.Add = append(change.Add, c.Entry)
		case indexTarget(waiting.orders, target) < 0 && indexTarget(h.lasting(), target) >= 0:
			change.Remove = append(change.Remove, target)
		}
	}
	_, err = l.prepare(ctx, change, Audit{Author: waiting.Author, Reason: waiting.Reason, Reference: waiting.Reference})
	if err != nil {
		err = fmt.Errorf("the orders are signed, but those that %s asked for wait no more: %w", waiting.Author, err)
	}
	return err
}

// audit returns the author, reason and reference for the operation that puts the orders in force. Described is the
// description of the orders, which begins the reason.
func (o preparedOrders) audit(described string) Audit {
	return Audit{Author: o.Author, Reason: because(described, o.why()), Reference: o.Reference}
}

// why returns the reason with which the orders were prepared, followed by the name of the person who has asked for
// them.
func (o preparedOrders) why() string {
	asked := askedBy.With(o.Author).String()
	if o.Reason == "" {
		return asked
	}
	return o.Reason + "; " + asked
}

// PendingUrgent returns the urgent orders that wait for an officer's signature. It fails with [ErrNothingPending] if
// there are none, or if they are void because a release was pushed or other orders were signed since they were
// prepared.
func (l *Ledger) PendingUrgent(ctx context.Context) (*Pending, error) {
	p, err := l.preparedUrgent()
	if errors.Is(err, ErrNothingPending) {
		return nil, err
	}
	if err != nil {
		return nil, l.damaged(err, pendingDir, urgentFile)
	}
	h, err := l.orderHistory(ctx)
	if err == nil && (p.Serial != h.serial || p.Number != h.number+1) {
		err = fmt.Errorf("%s: %w: a release or other orders have taken their place", p.What(), ErrNothingPending)
	}
	return p, err
}

// preparedUrgent reads the urgent orders that wait for an officer's signature. They may be void, see
// [Ledger.PendingUrgent].
func (d folder) preparedUrgent() (*Pending, error) {
	path := d.path(pendingDir, urgentFile)
	o, err := readPrepared(path)
	if err != nil {
		return nil, err
	}
	return d.pendingOrders(path, o)
}

// readPrepared reads a file of prepared orders. It fails with [ErrNothingPending] if the file does not exist.
func readPrepared(path string) (o preparedOrders, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return o, ErrNothingPending
	}
	if err == nil {
		if err = json.Unmarshal(b, &o); err == nil {
			err = Audit{Author: o.Author, Reason: o.Reason, Reference: o.Reference}.Check()
		}
		if err != nil {
			err = fmt.Errorf("reading %s: %w: %w", path, blocklist.ErrMalformed, err)
		}
	}
	return o, err
}

// pendingOrders returns the prepared orders in the file at path as a [Pending]. It verifies the release to which they
// add.
func (d folder) pendingOrders(path string, o preparedOrders) (*Pending, error) {
	root, err := d.root()
	if err != nil {
		return nil, err
	}
	spec, err := trust.ParseUrgent(o.Document)
	if err != nil {
		return nil, err
	}
	on, err := d.openSigned(spec.Serial)
	if err != nil {
		return nil, err
	}
	if spec, err = trust.ReviewUrgent(root, o.Document, on.targets.Key); err != nil {
		return nil, err
	}
	p := &Pending{
		List: spec.List, Serial: spec.Serial, Number: spec.Number(), Expires: spec.Expires,
		Confidential: on.targets.Confidential(),
		Author:       o.Author, Reason: o.Reason, Reference: o.Reference,
		path: path, metadata: o.Document, root: root, orders: spec.Entries,
	}
	for i, e := range spec.Entries {
		p.Orders = append(p.Orders, e.String())
		if i == 0 || e.Expires.After(p.Expires) {
			p.Expires = e.Expires
		}
	}
	return p, p.countSignatures()
}

// version returns the version of the document of urgent orders p.
func (p *Pending) version() int64 { return trust.UrgentVersion(p.Serial, p.Number) }

// checkClock fails with [blocklist.ErrUntrusted] if an order of p would last longer from now than the root allows.
func (p *Pending) checkClock() error {
	limit := time.Now().Add(p.root.Spec().Urgent.Longest() + clockSkew)
	for _, e := range p.orders {
		if e.Expires.After(limit) {
			return fmt.Errorf("%w: the order on %q would last until %s, longer than root %d allows", blocklist.ErrUntrusted, e.Target(),
				e.Expires.Format(time.RFC3339), p.root.Version())
		}
	}
	return nil
}

// clockSkew is the accepted difference between the clocks of the agency and of an officer.
const clockSkew = 5 * time.Minute

// reviewOrders yields the changes that the urgent orders p make to the orders signed before.
func (d folder) reviewOrders(p *Pending) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		before, err := d.ordersBefore(p)
		if err != nil {
			yield(blocklist.Change{}, err)
			return
		}
		orderChanges(unexpired(before), p.orders)(yield)
	}
}

// ordersBefore returns the entries of the signed document before p. It returns none if the root no longer accepts that
// document, because its signer is no longer an officer.
func (d folder) ordersBefore(p *Pending) ([]blocklist.Entry, error) {
	if p.Number == 1 {
		return nil, nil
	}
	b, err := os.ReadFile(d.path(urgentDir, trust.UrgentName(p.version()-1)))
	if err != nil {
		return nil, fmt.Errorf("the urgent orders before %s: %w", p.What(), err)
	}
	on, err := d.openSigned(p.Serial)
	if err != nil {
		return nil, err
	}
	spec, err := trust.OpenUrgent(p.root, b, on.targets.Key)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	if spec.Version != p.version()-1 {
		return nil, fmt.Errorf("the urgent orders before %s: %w: version %d", p.What(), blocklist.ErrUntrusted, spec.Version)
	}
	return spec.Entries, nil
}

// addOrderSignature puts the pending urgent orders in force with an officer's signature. If the orders that the
// signature file names are already in force, it only verifies the signature.
func (l *Ledger) addOrderSignature(ctx context.Context, s detached, officer givenSignature) (*Pending, error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	signed, err := l.ordersInForce(s)
	if errors.Is(err, os.ErrNotExist) {
		return l.signPrepared(ctx, s, officer)
	}
	if err == nil {
		err = signed.CheckSigner(officer)
	}
	if err == nil {
		_, err = tuf.Sign(signed.metadata, officer)
		signed.setSigner(signed, officer)
	}
	return signed, err
}

// signPrepared adds the signature to the pending urgent orders, and puts them in force. It fails if the guards hold one
// of the orders now.
func (l *Ledger) signPrepared(ctx context.Context, s detached, officer givenSignature) (*Pending, error) {
	p, err := l.PendingUrgent(ctx)
	if err == nil && !s.isOf(p) {
		err = fmt.Errorf("%w: %s is pending", errOtherDocument, p.What())
	}
	if err == nil {
		err = p.checkTimes(&l.history.Clock)
	}
	if err != nil {
		return nil, err
	}
	g, err := l.guard(ctx)
	if err == nil {
		err = g.Hold(p.orders)
	}
	if err != nil {
		return nil, err
	}
	h, err := l.orderHistory(ctx)
	if err != nil {
		return nil, err
	}
	why := preparedOrders{Author: p.Author, Reason: p.Reason}.why()
	if err := l.signOrders(ctx, h, p.metadata, officer, Audit{Reason: why, Reference: p.Reference}); err != nil {
		return nil, err
	}
	signed, err := l.ordersInForce(s)
	if err == nil {
		signed.Signer = h.officer(officer)
		err = os.Remove(p.path)
	}
	return signed, err
}

// ordersInForce returns the signed urgent orders that the signature file names. It fails with [os.ErrNotExist] if there
// are none.
func (l *Ledger) ordersInForce(s detached) (*Pending, error) {
	path := l.path(urgentDir, trust.UrgentName(trust.UrgentVersion(s.Serial, s.Urgent)))
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return l.pendingOrders(path, preparedOrders{Document: doc})
}

// checkOne fails if a request has more than one document to be signed.
func (d folder) checkOne() error {
	names, err := os.ReadDir(d.path(pendingDir))
	if err == nil && len(names) > 1 {
		err = fmt.Errorf("%w: more than one thing to be signed is in it", blocklist.ErrMalformed)
	}
	return err
}

// urgentParts returns the paths of the files, other than roots and list keys, that an officer needs to review the
// urgent orders p.
func (d folder) urgentParts(p *Pending) []string {
	names := []string{releasedTargets(p.Serial), pendingDir + "/" + urgentFile}
	if p.Number > 1 {
		names = slices.Insert(names, 1, urgentDir+"/"+trust.UrgentName(p.version()-1))
	}
	return names
}
