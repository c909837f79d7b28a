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
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

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
	return spec, l.damaged(err, urgentDir, trust.UrgentName(version))
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

// urgentLines returns the targets that an operation with urgent orders names in its reason, each after its sign + or -.
func urgentLines(o Operation) (lines []string) {
	what, _, _ := strings.Cut(o.Reason, ": ")
	for part := range strings.SplitSeq(what, ", ") {
		if strings.HasPrefix(part, "+") || strings.HasPrefix(part, "-") {
			lines = append(lines, part)
		}
	}
	return lines
}
