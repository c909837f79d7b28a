package publish

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// UrgentList has the urgent orders in force, which add to the last pushed release: entries that one officer has listed
// alone. They end with the next release, even if that release does not list these entries.
type UrgentList struct {
	// Number is the number of the newest document of urgent orders for the release, from 1. It is 0 if there is none.
	Number  int64             `json:"number"`
	Serial  uint64            `json:"serial"` // serial of the release
	Entries []blocklist.Entry `json:"-"`      // entries of the newest document that have not expired
	Lines   []string          `json:"orders"` // Entries as text
	Left    int               `json:"left"`   // number of further targets that may be ordered before the next release
	Hours   int               `json:"hours"`  // maximum hours from the first order of a target to its expiry
	Pushed  bool              `json:"pushed"` // whether there was a push since the newest document was signed
}

// UrgentChange has entries to be ordered and targets whose orders are withdrawn.
type UrgentChange struct {
	Add    []blocklist.Entry // entries to be ordered; a missing or excessive expiry becomes the latest allowed one
	Remove []string          // targets whose orders are to be withdrawn
}

// Urgent returns the urgent orders that add to the last pushed release.
func (l *Ledger) Urgent(ctx context.Context) (UrgentList, error) {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	o := UrgentList{
		Number: h.number, Serial: h.serial, Entries: h.lasting(),
		Left: max(h.limits.Entries-len(h.ordered), 0), Hours: h.limits.Hours,
	}
	for _, e := range o.Entries {
		o.Lines = append(o.Lines, e.String())
	}
	for op, err := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindUrgent, KindPush}}) {
		if err != nil {
			return o, err
		}
		if _, _, signed := documentOf(op); signed || op.Kind == KindPush {
			o.Pushed = !signed
		}
	}
	return o, nil
}

// documentOf returns the number and the serial of the document of urgent orders that an operation has put in force. It
// returns false for any other operation.
func documentOf(o Operation) (number int64, serial uint64, ok bool) {
	if o.Kind != KindUrgent {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(o.Reason, "urgent orders %d on serial %d", &number, &serial)
	return number, serial, err == nil
}

// ErrListed is returned for an urgent order on a target that the last release already lists.
var ErrListed = errors.New("listed already")

// SignUrgent makes urgent orders, signed by one officer alone. [Ledger.PushUrgent] sends them to an origin. The ledger
// records the officer as the author. Orders that [Ledger.PrepareUrgent] has made continue to wait for a signature.
//
// SignUrgent fails with [blocklist.ErrUntrusted] if the root does not allow urgent orders, or if they exceed the root's
// limits, which subscribers enforce, too. It fails with [ErrListed] if the release lists a target, and with [ErrRules]
// if an order breaks a rule of the list. The rule in [Rules.TwoPersons] does not apply, because the root allows urgent
// orders by one officer. If the guards hold an entry, it returns a [*guard.HeldError].
func (l *Ledger) SignUrgent(ctx context.Context, change UrgentChange, officer crypto.Signer, c Audit) (
	UrgentList, error,
) {
	if officer == nil {
		return UrgentList{}, fmt.Errorf("ordering: %w: there is no key", blocklist.ErrMalformed)
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	defer unlock()
	h, waiting, err := l.ordersSoFar(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	doc, err := l.makeOrders(ctx, h, h.lasting(), change, c)
	if err == nil {
		err = l.signOrders(ctx, h, doc, officer, c)
	}
	if err == nil && waiting != nil {
		err = l.prepareAgain(ctx, h.lasting(), waiting)
	}
	if err != nil {
		return UrgentList{}, err
	}
	return l.Urgent(ctx)
}

// makeOrders applies a change to the given urgent orders, and returns the next document, unsigned. It fails unless the
// rules of the list, the guards and the limits of the root allow the change.
func (l *Ledger) makeOrders(ctx context.Context, h *orderHistory, orders []blocklist.Entry, change UrgentChange,
	c Audit,
) ([]byte, error) {
	if err := l.checkOrders(ctx, change.Add, c); err != nil {
		return nil, err
	}
	entries, err := h.change(orders, change)
	if err == nil {
		err = l.checkUnlisted(ctx, h.serial, change.Add)
	}
	if err != nil {
		return nil, err
	}
	return h.document(entries)
}

// checkOrders fails if an order breaks a rule of the list, or if the guards hold its entry. An urgent order can't
// override the guards.
func (l *Ledger) checkOrders(ctx context.Context, orders []blocklist.Entry, c Audit) error {
	if len(orders) == 0 {
		return nil
	}
	rules, err := l.newChecker(ctx, c)
	for _, e := range orders {
		if err == nil {
			err = rules.check(e)
		}
	}
	if err != nil {
		return fmt.Errorf("ordering: %w", err)
	}
	g, err := l.guard(ctx)
	if err == nil {
		err = g.Hold(orders)
	}
	return err
}

// checkUnlisted fails with [ErrListed] if the release already lists the target of an order, so that the order would
// change nothing.
func (l *Ledger) checkUnlisted(ctx context.Context, serial uint64, orders []blocklist.Entry) error {
	for _, order := range orders {
		e, listed, err := l.Lookup(ctx, order.Target())
		if err != nil {
			return err
		}
		if !listed || e.Monitor || !e.Expires.IsZero() {
			continue
		}
		for c, err := range l.Unreleased(ctx) {
			if err != nil {
				return err
			}
			listed = listed && c.Entry.Target() != order.Target()
		}
		if listed {
			return fmt.Errorf("ordering %q: %w, by serial %d", order.Target(), ErrListed, serial)
		}
	}
	return nil
}

// signOrders signs a document of urgent orders, records the operation, and stores the document, which puts the orders
// in force.
func (l *Ledger) signOrders(ctx context.Context, h *orderHistory, doc []byte, officer crypto.Signer, c Audit) error {
	doc, orders, err := h.sign(doc, officer)
	if err != nil {
		return err
	}
	c.Author = h.officer(officer)
	c.Reason = because(h.describe(orders.Entries), c.Reason)
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return err
	}
	return l.keepOrders(orders.Version, doc)
}

func (l *Ledger) keepOrders(version int64, doc []byte) error {
	if err := disk.MkdirAll(l.path(urgentDir)); err != nil {
		return err
	}
	return disk.WriteFile(l.path(urgentDir, trust.UrgentName(version)), doc, disk.Inherit)
}

// orderHistory has the urgent orders that were signed since the last push of a new release, and what the next document
// of orders needs.
type orderHistory struct {
	root    *trust.Root
	limits  trust.Urgent
	newest  int64 // version of the newest document for any release
	number  int64 // number of the newest document for the last pushed release
	serial  uint64
	key     trust.ListKey        // the list key; nil: the list is not confidential
	entries []blocklist.Entry    // entries of the newest document for the last pushed release
	ordered map[string]time.Time // time when each target was first ordered since the last pushed release, by target
}

func (l *Ledger) orderHistory(ctx context.Context) (*orderHistory, error) {
	root, err := l.root()
	if err != nil {
		return nil, err
	}
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	key, err := l.listKeyOf(last)
	if err != nil {
		return nil, err
	}
	h := &orderHistory{
		root: root, key: key, limits: root.Spec().Urgent, serial: last.Serial,
		ordered: map[string]time.Time{},
	}
	versions, err := l.orderVersions()
	for _, version := range versions {
		h.newest = version
		if trust.UrgentSerial(version) != h.serial {
			continue
		}
		spec, err := l.readOrders(version)
		if err == nil {
			err = spec.Open(h.key)
		}
		if err != nil {
			return nil, err
		}
		h.number, h.entries = spec.Number(), spec.Entries
		h.note(spec.Entries)
	}
	return h, err
}

// orderVersions returns the versions of all stored documents of urgent orders, in ascending order.
func (l *Ledger) orderVersions() (all []int64, err error) {
	files, err := os.ReadDir(l.path(urgentDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		var version int64
		if _, scanErr := fmt.Sscanf(f.Name(), "%d.urgent.json", &version); scanErr == nil && f.Name() == trust.UrgentName(version) {
			all = append(all, version)
		}
	}
	slices.Sort(all)
	return all, err
}

func (l *Ledger) readOrders(version int64) (spec trust.UrgentSpec, err error) {
	path := l.path(urgentDir, trust.UrgentName(version))
	b, err := os.ReadFile(path)
	if err == nil {
		if spec, err = trust.ParseUrgent(b); err == nil && spec.Version != version {
			err = ledger.Damaged("it is of version %d", spec.Version)
		}
	}
	if err != nil {
		return spec, fmt.Errorf("reading %s: %w", path, err)
	}
	return spec, nil
}

func (h *orderHistory) note(entries []blocklist.Entry) {
	for _, e := range entries {
		if _, ok := h.ordered[e.Target()]; !ok {
			h.ordered[e.Target()] = cmp.Or(e.Added, time.Now().UTC().Truncate(time.Second)) // others may omit it
		}
	}
}

// lasting returns the entries of the newest document for the last pushed release that have not expired.
func (h *orderHistory) lasting() []blocklist.Entry { return unexpired(h.entries) }

func unexpired(entries []blocklist.Entry) []blocklist.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e blocklist.Entry) bool { return !time.Now().Before(e.Expires) })
}

// change applies a change to the entries of a document, and returns the new entries. It fails if the orders exceed the
// limits of the root.
func (h *orderHistory) change(entries []blocklist.Entry, change UrgentChange) ([]blocklist.Entry, error) {
	switch {
	case !h.limits.Allowed():
		return nil, fmt.Errorf("ordering: %w: root %d allows no urgent orders; blocklist root --urgent-entries can", blocklist.ErrUntrusted, h.root.Version())
	case h.serial == 0:
		return nil, fmt.Errorf("ordering: %w: there is no release yet on top of which that could be", ErrUnchanged)
	}
	for _, target := range change.Remove {
		i := indexTarget(entries, target)
		if i < 0 {
			return nil, fmt.Errorf("withdrawing %q: %w", target, ErrNotListed)
		}
		entries = slices.Delete(entries, i, i+1)
	}
	for _, e := range change.Add {
		e, err := h.order(e)
		if err != nil {
			return nil, err
		}
		if i := indexTarget(entries, e.Target()); i >= 0 {
			entries = slices.Delete(entries, i, i+1)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b blocklist.Entry) int { return cmp.Compare(a.Target(), b.Target()) })
	if len(h.ordered) > h.limits.Entries {
		return nil, fmt.Errorf("ordering: %w", &UrgentLimitError{len(h.ordered), h.serial, h.limits.Entries})
	}
	return entries, nil
}

func indexTarget(entries []blocklist.Entry, target string) int {
	return slices.IndexFunc(entries, func(e blocklist.Entry) bool { return e.Target() == target })
}

// order returns e as an urgent order. Added becomes the time when the target was first ordered. The expiry is limited
// to the maximum duration after that time, so a second order of the target does not last longer than the first could.
func (h *orderHistory) order(e blocklist.Entry) (blocklist.Entry, error) {
	if e.Monitor {
		return e, fmt.Errorf("ordering %q: %w: an urgent order blocks", e.Target(), blocklist.ErrMalformed)
	}
	e.Added = time.Now().UTC().Truncate(time.Second)
	h.note([]blocklist.Entry{e})
	e.Added = h.ordered[e.Target()]
	last := e.Added.Add(h.limits.Longest())
	if e.Expires.IsZero() || e.Expires.After(last) {
		e.Expires = last
	}
	if !time.Now().Before(e.Expires) {
		return e, fmt.Errorf("ordering %q: %w: its time on top of serial %d ended on %s; only the quorum can list it now", e.Target(),
			blocklist.ErrExpired, h.serial, e.Expires.Format(time.RFC3339))
	}
	return e, nil
}

// document returns the next document of urgent orders, with these entries, unsigned.
func (h *orderHistory) document(entries []blocklist.Entry) ([]byte, error) {
	if h.number+1 > trust.MaxUrgentNumber {
		return nil, fmt.Errorf("ordering: %w: serial %d has had all the orders that there can be; a release by the quorum starts the count again", blocklist.ErrTooLarge, h.serial)
	}
	return trust.NewUrgent(trust.UrgentSpec{
		List: h.root.Spec().List, Version: trust.UrgentVersion(h.serial, h.number+1), Serial: h.serial,
		Expires: lifetime(h.limits.Longest()), Entries: entries,
	}, h.key)
}

// sign signs a document. It returns the signed document and its parsed orders.
func (h *orderHistory) sign(doc []byte, officer crypto.Signer) ([]byte, trust.UrgentSpec, error) {
	if h.officer(officer) == "" {
		return nil, trust.UrgentSpec{}, fmt.Errorf("ordering: %w: the key is not that of an officer; they are %s", blocklist.ErrUntrusted,
			strings.Join(names(h.root.Spec().Officers), ", "))
	}
	doc, err := tuf.Sign(doc, officer)
	if err != nil {
		return nil, trust.UrgentSpec{}, err
	}
	spec, err := trust.OpenUrgent(h.root, doc, h.key)
	return doc, spec, err
}

// officer returns the name of the officer with this key, or an empty text if no officer has it.
func (h *orderHistory) officer(key crypto.Signer) string {
	public, _ := key.Public().(ed25519.PublicKey)
	i := slices.IndexFunc(h.root.Spec().Officers, notekey.Key{Public: public}.Equal)
	if i < 0 {
		return ""
	}
	return h.root.Spec().Officers[i].Name
}

// describe returns the reason of the operation that puts the next orders in force: their number, the serial, and the
// targets that are ordered (+) or withdrawn (-).
func (h *orderHistory) describe(next []blocklist.Entry) string {
	parts := []string{signedOrders.With(h.number+1, h.serial).String()}
	for c := range orderChanges(h.lasting(), next) { //nolint:errcheck // entries in memory have no errors
		switch {
		case !c.Removed:
			parts = append(parts, "+"+c.Entry.Target())
		case indexTarget(next, c.Entry.Target()) < 0:
			parts = append(parts, "-"+c.Entry.Target())
		}
	}
	return strings.Join(parts, ", ")
}

// orderChanges yields the changes between two documents, whose entries are sorted.
func orderChanges(before, after []blocklist.Entry) iter.Seq2[blocklist.Change, error] {
	return trust.Diff(eachEntry(before), eachEntry(after))
}
