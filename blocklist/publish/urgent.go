package publish

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// UrgentList has the urgent orders on top of a release: entries that one officer has listed alone. The next release
// ends them, even if it does not contain them.
type UrgentList struct {
	Number  int64             // of the newest document; starts at 1 on top of each release; 0: none
	Serial  uint64            // of the release
	Entries []blocklist.Entry // entries that have not expired
	Left    int               // how many more targets may be ordered on top of that release
}

// UrgentChange has the entries to order and the targets to withdraw.
type UrgentChange struct {
	Add    []blocklist.Entry // an expiry beyond the limit, or none, becomes the limit
	Remove []string          // targets
}

// Urgent returns the urgent orders on top of the last pushed release.
func (l *Ledger) Urgent(ctx context.Context) (UrgentList, error) {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	left := h.limits.Entries - len(h.ordered)
	return UrgentList{Number: h.number, Serial: h.serial, Entries: h.lasting(), Left: max(left, 0)}, nil
}

// SignUrgent makes urgent orders, signed by one officer alone. [Ledger.PushUrgent] sends them to an origin. It fails
// with [blocklist.ErrUntrusted] if the root does not allow urgent orders, or beyond the limits of the root, which
// subscribers enforce, too.
func (l *Ledger) SignUrgent(ctx context.Context, change UrgentChange, officer crypto.Signer, c Audit) (UrgentList, error) {
	if officer == nil {
		return UrgentList{}, fmt.Errorf("ordering: %w: there is no key", blocklist.ErrMalformed)
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	defer unlock()
	g, err := l.guard(ctx)
	if err == nil {
		err = g.Hold(change.Add) // no override here: only the quorum can list a held entry
	}
	if err != nil {
		return UrgentList{}, err
	}
	h, err := l.orderHistory(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	entries, err := h.change(change)
	if err != nil {
		return UrgentList{}, err
	}
	doc, err := h.sign(entries, officer)
	if err != nil {
		return UrgentList{}, err
	}
	c.Reason = because(h.describe(change), c.Reason)
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return UrgentList{}, err
	}
	if err := l.keepOrders(trust.UrgentVersion(h.serial, h.number+1), doc); err != nil {
		return UrgentList{}, err
	}
	return l.Urgent(ctx)
}

func (l *Ledger) keepOrders(version int64, doc []byte) error {
	if err := os.MkdirAll(l.path(urgentDir), 0o700); err != nil {
		return err
	}
	return disk.WriteFile(l.path(urgentDir, trust.UrgentName(version)), doc, 0o644)
}

// orderHistory has all orders on top of the last pushed release.
type orderHistory struct {
	root    *trust.Root
	limits  trust.Urgent
	newest  int64 // version of the newest document, on top of any release
	number  int64 // number of the newest document on top of this release
	serial  uint64
	key     trust.ListKey        // of a confidential list
	entries []blocklist.Entry    // of the newest document
	ordered map[string]time.Time // time of the first order by target, on top of this release
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
	h := &orderHistory{root: root, key: key, limits: root.Spec().Urgent, serial: last.Serial, ordered: map[string]time.Time{}}
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

// orderVersions returns the versions of the stored documents, in ascending order.
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

// lasting returns the entries that have not expired.
func (h *orderHistory) lasting() []blocklist.Entry {
	return slices.DeleteFunc(slices.Clone(h.entries), func(e blocklist.Entry) bool { return !time.Now().Before(e.Expires) })
}

// change returns the entries after a change. It fails if the change exceeds the limits.
func (h *orderHistory) change(change UrgentChange) ([]blocklist.Entry, error) {
	switch {
	case !h.limits.Allowed():
		return nil, fmt.Errorf("ordering: %w: root %d allows no urgent orders; blocklist root --urgent-entries can", blocklist.ErrUntrusted, h.root.Version())
	case h.serial == 0:
		return nil, fmt.Errorf("ordering: %w: there is no release yet on top of which that could be", ErrUnchanged)
	}
	entries := h.lasting()
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
		return nil, fmt.Errorf("ordering: %w: %d targets on top of serial %d, the root allows %d; a release by the quorum starts the count again",
			blocklist.ErrUntrusted, len(h.ordered), h.serial, h.limits.Entries)
	}
	return entries, nil
}

func indexTarget(entries []blocklist.Entry, target string) int {
	return slices.IndexFunc(entries, func(e blocklist.Entry) bool { return e.Target() == target })
}

// order returns an entry with the time of its first order and an expiry within the limit. A second order does not
// extend the time.
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

// sign makes and signs the next document.
func (h *orderHistory) sign(entries []blocklist.Entry, officer crypto.Signer) ([]byte, error) {
	if public, ok := officer.Public().(ed25519.PublicKey); !ok || !isOfficer(h.root, public) {
		return nil, fmt.Errorf("ordering: %w: the key is not that of an officer; they are %q", blocklist.ErrUntrusted, names(h.root.Spec().Officers))
	}
	if h.number+1 > trust.MaxUrgentNumber {
		return nil, fmt.Errorf("ordering: %w: serial %d has had all the orders that there can be; a release by the quorum starts the count again", blocklist.ErrTooLarge, h.serial)
	}
	doc, err := trust.NewUrgent(trust.UrgentSpec{
		List: h.root.Spec().List, Version: trust.UrgentVersion(h.serial, h.number+1), Serial: h.serial, Expires: lifetime(h.limits.Longest()), Entries: entries,
	}, h.key)
	if err != nil {
		return nil, err
	}
	if doc, err = tuf.Sign(doc, officer); err != nil {
		return nil, err
	}
	_, err = trust.OpenUrgent(h.root, doc, h.key)
	return doc, err
}

// describe returns the change in words, for the ledger.
func (h *orderHistory) describe(change UrgentChange) string {
	parts := []string{fmt.Sprintf("urgent orders %d on serial %d", h.number+1, h.serial)}
	for _, e := range change.Add {
		parts = append(parts, "+"+e.Target())
	}
	for _, target := range change.Remove {
		parts = append(parts, "-"+target)
	}
	return strings.Join(parts, ", ")
}

// validOrders returns the newest urgent document. It returns nil if the root does not allow it or no longer has its
// officer.
func (l *Ledger) validOrders(ctx context.Context, root *trust.Root) ([]byte, error) {
	h, err := l.orderHistory(ctx)
	if err != nil || h.newest == 0 {
		return nil, err
	}
	doc, err := os.ReadFile(l.path(urgentDir, trust.UrgentName(h.newest)))
	if err != nil {
		return nil, err
	}
	if _, err := trust.OpenUrgent(root, doc, nil); err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	return doc, nil
}

// adoptOrders replaces the stored orders by newer ones from an origin. Another officer may have made them elsewhere, or
// a thief with an officer's key. In the ledger they can be seen and withdrawn. adoptOrders always returns an error,
// which says that the orders were replaced or why not.
func (l *Ledger) adoptOrders(ctx context.Context, from *trust.OrdersError, c Audit) error {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return err
	}
	spec, err := trust.OpenUrgent(h.root, from.Held, h.key)
	if err == nil && (spec.Serial != h.serial || spec.Number() <= h.number) {
		err = fmt.Errorf("%w: number %d on serial %d is no newer than what is here", blocklist.ErrRollback, spec.Number(), spec.Serial)
	}
	if err != nil {
		return fmt.Errorf("the origin refuses these urgent orders (%w), and its own can't be taken: %w; the next release ends them", from, err)
	}
	signed, err := trust.CheckSignatures(h.root, from.Held)
	if err != nil {
		return err
	}
	c.Reason = fmt.Sprintf("urgent orders %d on serial %d, which %s signed, found at %s", spec.Number(), spec.Serial, strings.Join(names(signed.Signed), ", "), c.Reason)
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return err
	}
	if err := l.keepOrders(spec.Version, from.Held); err != nil {
		return err
	}
	return fmt.Errorf("%w: the origin had %s; they are in %s now: look at them with blocklist urgent list, order or withdraw again, and push again",
		from, c.Reason, l.path(urgentDir))
}
