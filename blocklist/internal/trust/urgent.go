package trust

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Limits on urgent orders, and on the document that holds them, in bytes.
const (
	MaxUrgent      = 64 << 10
	MaxUrgentHours = 24
	MaxUrgentNames = 16
)

const (
	fieldUrgent = "x-argine-urgent" // signed part of a root: the limits; of an urgent document: the orders
	metaUrgent  = "urgent.json"     // in a snapshot: the newest urgent document
)

// Urgent says what one officer alone may list, where a root allows it: on top of one release at most Entries targets,
// each for at most Hours. The zero value allows nothing.
type Urgent struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

// Allowed reports whether anything is.
func (u Urgent) Allowed() bool { return u != Urgent{} }

// Longest is how long an order may last.
func (u Urgent) Longest() time.Duration { return time.Duration(u.Hours) * time.Hour }

func (u Urgent) check() error {
	if u.Allowed() && (u.Entries < 1 || u.Entries > MaxUrgentNames || u.Hours < 1 || u.Hours > MaxUrgentHours) {
		return tuf.Malformed("root", "urgent orders of %d entries for %d hours: there may be 1 to %d, for 1 to %d hours", u.Entries, u.Hours,
			MaxUrgentNames, MaxUrgentHours)
	}
	return nil
}

// readField reads one of our fields as it must be: with all of its keys and no other.
func readField(what string, fields map[string]any, name string, into any) error {
	b, err := json.Marshal(fields[name])
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(into)
	}
	if err != nil {
		return tuf.Malformed(what, "%s: %v", name, err)
	}
	return nil
}

// readLimits reads the limits of a root, none where it has no such field.
func readLimits(fields map[string]any) (u Urgent, err error) {
	if _, ok := fields[fieldUrgent]; !ok {
		return u, nil
	}
	if err := readField("root", fields, fieldUrgent, &u); err != nil {
		return u, err
	}
	if !u.Allowed() {
		return u, tuf.Malformed("root", "%s allows nothing; it is left out then", fieldUrgent)
	}
	return u, u.check()
}

// MaxUrgentNumber is the highest number of an urgent document on top of one release.
const MaxUrgentNumber = 1<<urgentBits - 1

const urgentBits = 16

// UrgentVersion returns the version of an urgent document, which encodes the serial of its release and a number from 1.
// The first version on top of a new release is therefore higher than all versions on top of the release before: no
// officer can use the versions up.
func UrgentVersion(serial uint64, number int64) int64 { return int64(serial)<<urgentBits | number }

// UrgentSerial returns the serial of the release that an urgent document of that version lies on.
func UrgentSerial(version int64) uint64 { return uint64(version) >> urgentBits }

// UrgentName returns the name of an urgent document's file.
func UrgentName(version int64) string { return fmt.Sprintf("%d.urgent.json", version) }

// UrgentSpec is what an urgent document says: what one officer lists on top of a release. With the next release it is void.
type UrgentSpec struct {
	List    string
	Version int64 // see [UrgentVersion]
	Expires time.Time
	Serial  uint64            // of the release on top of which it counts
	Entries []blocklist.Entry // in order of their targets; each blocks and has an expiry
	Sealed  string            // of a confidential list: the entries, to be opened with its key

	doc *tuf.Targets // that they were read from
}

// Number returns which one of the documents on top of its release it is, from 1.
func (spec UrgentSpec) Number() int64 { return spec.Version & MaxUrgentNumber }

// orders are the entries as they stand in the document.
type orders struct {
	Serial  uint64   `json:"serial"`
	Entries []string `json:"entries,omitempty"`
	Sealed  *string  `json:"sealed,omitempty"`
}

// NewUrgent returns an unsigned urgent document, encrypted where the list has a key. It fails like [ParseUrgent].
func NewUrgent(spec UrgentSpec, k ListKey) ([]byte, error) {
	lines := []string{}
	for _, e := range spec.Entries {
		lines = append(lines, e.String())
	}
	fields := map[string]any{"serial": spec.Serial}
	if k == nil {
		fields["entries"] = lines
	} else {
		sealed, err := k.sealText(strings.Join(lines, "\n"))
		if err != nil {
			return nil, err
		}
		fields["sealed"] = sealed
	}
	b, err := tuf.New(tuf.Object[tuf.TargetsFields]{
		Known: tuf.TargetsFields{
			Header: tuf.NewHeader(tuf.RoleTargets, spec.Version, spec.Expires), Targets: map[string]tuf.Object[tuf.Target]{},
		},
		More: map[string]any{fieldList: spec.List, fieldUrgent: fields},
	})
	if err != nil {
		return nil, fmt.Errorf("writing urgent orders: %w", err)
	}
	_, err = ParseUrgent(b)
	return b, err
}

// ParseUrgent reads an urgent document: what it says, not who signed it. It is a targets document without files, so that it
// can't be taken for a release. It fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func ParseUrgent(b []byte) (spec UrgentSpec, err error) {
	doc, err := tuf.ParseTargets("urgent orders", b, MaxUrgent)
	if err != nil {
		return spec, err
	}
	spec.Version, spec.Expires, spec.doc = doc.Version, doc.Expires, doc
	if len(doc.Targets) > 0 || doc.Delegations != nil {
		return spec, tuf.Malformed("urgent orders", "they have files or delegations")
	}
	if spec.List, err = signedList("urgent orders", doc.More); err != nil {
		return spec, err
	}
	var o orders
	if err := readField("urgent orders", doc.More, fieldUrgent, &o); err != nil {
		return spec, err
	}
	spec.Serial = o.Serial
	if UrgentSerial(spec.Version) != spec.Serial || spec.Number() == 0 {
		return spec, tuf.Malformed("urgent orders", "version %d is none on top of serial %d: those are %d and the %d after it", spec.Version, spec.Serial,
			UrgentVersion(spec.Serial, 1), MaxUrgentNumber-1)
	}
	if o.Sealed != nil {
		spec.Sealed = *o.Sealed
		if spec.Sealed == "" || o.Entries != nil {
			return spec, tuf.Malformed("urgent orders", "entries are either sealed or in the clear")
		}
	}
	return spec, spec.readEntries(o.Entries)
}

// Open reads sealed entries with the list key. Without one they stay as they are.
func (spec *UrgentSpec) Open(k ListKey) error {
	if spec.Sealed == "" || k == nil {
		return nil
	}
	text, err := k.unsealText(spec.Sealed, MaxUrgent)
	if err != nil {
		return fmt.Errorf("urgent orders: %w", err)
	}
	var lines []string
	if text != "" {
		lines = strings.Split(text, "\n")
	}
	return spec.readEntries(lines)
}

// readEntries reads the orders: canonical lines in ascending order, each blocking until a time.
func (spec *UrgentSpec) readEntries(lines []string) error {
	if spec.Serial < 1 || len(lines) > MaxUrgentNames {
		return tuf.Malformed("urgent orders", "serial %d, %d entries", spec.Serial, len(lines))
	}
	for i, line := range lines {
		e, err := blocklist.ParseEntry(line)
		switch {
		case err != nil:
			return fmt.Errorf("urgent orders: %w", err)
		case e.String() != line || e.Monitor || e.Expires.IsZero():
			return tuf.Malformed("urgent orders", "%.200q: a canonical line that blocks until a time is needed", line)
		case i > 0 && cmp.Compare(spec.Entries[i-1].Target(), e.Target()) >= 0:
			return tuf.Malformed("urgent orders", "%.200q is out of order", line)
		}
		spec.Entries = append(spec.Entries, e)
	}
	return nil
}

// OpenUrgent reads urgent orders that at least one officer of the root has signed, within the number that the root allows.
// How long they have lasted only their reader can tell. Those of a confidential list are encrypted; without its key their
// entries stay unknown.
func OpenUrgent(root *Root, b []byte, k ListKey) (UrgentSpec, error) {
	spec, err := ParseUrgent(b)
	if err == nil {
		err = spec.Verify(root, k)
	}
	return spec, err
}

// ReviewUrgent is [OpenUrgent] for orders that wait for an officer's signature.
func ReviewUrgent(root *Root, b []byte, k ListKey) (UrgentSpec, error) {
	spec, err := ParseUrgent(b)
	if err == nil {
		err = spec.checkAllowed(root)
	}
	if err == nil {
		err = spec.openWithin(root, k)
	}
	return spec, err
}

// Verify is [OpenUrgent] for orders that were parsed: it opens them.
func (spec *UrgentSpec) Verify(root *Root, k ListKey) error {
	if err := spec.checkSigned(root); err != nil {
		return err
	}
	return spec.openWithin(root, k)
}

// openWithin opens the entries, and counts them.
func (spec *UrgentSpec) openWithin(root *Root, k ListKey) error {
	if err := spec.Open(k); err != nil {
		return err
	}
	if limits := root.spec.Urgent; len(spec.Entries) > limits.Entries {
		return fmt.Errorf("urgent orders: %w: %d entries, root %d allows %d", blocklist.ErrUntrusted, len(spec.Entries), root.spec.Version, limits.Entries)
	}
	return nil
}

// checkSigned reports whether an officer may order this, and has signed it.
func (spec UrgentSpec) checkSigned(root *Root) error {
	if err := spec.checkAllowed(root); err != nil {
		return err
	}
	if len(root.count(&spec.doc.Document).Signed) == 0 {
		return fmt.Errorf("urgent orders: %w: no officer of root %d has signed them", blocklist.ErrUntrusted, root.spec.Version)
	}
	return nil
}

// checkAllowed reports whether the root allows such a document.
func (spec UrgentSpec) checkAllowed(root *Root) error {
	switch {
	case spec.List != root.spec.List:
		return fmt.Errorf("urgent orders: %w: they are of list %q, not %q", blocklist.ErrUntrusted, spec.List, root.spec.List)
	case !root.spec.Urgent.Allowed():
		return fmt.Errorf("urgent orders: %w: root %d does not allow any", blocklist.ErrUntrusted, root.spec.Version)
	case root.spec.Confidential != (spec.Sealed != ""):
		return fmt.Errorf("urgent orders: %w: those of a confidential list, and only these, are encrypted", blocklist.ErrUntrusted)
	}
	return nil
}

// AcceptUrgent checks an urgent document against the metadata that it comes with: an officer must have signed it, it must be newer
// than the one there, and may lie on no later release. It returns the orders opened, and the metadata with them. What breaks
// another rule is refused; the metadata returned keeps it all the same, so that nothing older is accepted any more.
func (m Metadata) AcceptUrgent(root *Root, signed UrgentSpec) (UrgentSpec, Metadata, error) {
	if err := m.checkUrgent(root, signed); err != nil {
		return signed, m, err
	}
	var key ListKey
	if signed.Serial == uint64(m.Targets.Version) { // what lies on another release may be encrypted with another key
		key = m.Key
	}
	opened := signed
	if err := opened.openWithin(root, key); err != nil {
		return opened, m.RefuseUrgent(signed), err
	}
	m.Urgent = &signed
	return opened, m, nil
}

// RefuseUrgent returns the metadata with a document that is refused, although an officer has signed it: it is never enforced,
// and nothing older is accepted any more.
func (m Metadata) RefuseUrgent(spec UrgentSpec) Metadata {
	if bytes.Equal(m.Urgent.Bytes(), spec.Bytes()) {
		m.Urgent = nil
	}
	m.Refused = &spec
	return m
}

// checkUrgent checks who has signed an urgent document, and its version (rollback).
func (m Metadata) checkUrgent(root *Root, spec UrgentSpec) error {
	if m.Targets == nil {
		return tuf.Malformed("urgent orders", "there is no release that they lie on")
	}
	if err := spec.checkSigned(root); err != nil {
		return err
	}
	switch held := m.urgentVersion(root); {
	case spec.Serial > uint64(m.Targets.Version):
		return fmt.Errorf("urgent orders: %w: they are for serial %d, the newest is %d", blocklist.ErrUntrusted, spec.Serial, m.Targets.Version)
	case bytes.Equal(spec.Bytes(), m.Urgent.Bytes()):
	case bytes.Equal(spec.Bytes(), m.Refused.Bytes()):
		return fmt.Errorf("urgent orders: %w: number %d on serial %d was refused before", blocklist.ErrUntrusted, spec.Number(), spec.Serial)
	case spec.Version <= held:
		return fmt.Errorf("urgent orders: %w: version %d, held is %d", blocklist.ErrRollback, spec.Version, held)
	}
	return nil
}

// urgentVersion returns the version of the newest urgent document, accepted or refused, that an officer of the root has
// signed. Documents of revoked officers don't count.
func (m Metadata) urgentVersion(root *Root) (newest int64) {
	for _, held := range []*UrgentSpec{m.Urgent, m.Refused} {
		if held != nil && held.checkSigned(root) == nil {
			newest = max(newest, held.Version)
		}
	}
	return newest
}

// namesRevoked reports whether the snapshot names urgent orders of an officer who may not order under this root.
func (m Metadata) namesRevoked(root *Root) bool {
	if m.Snapshot == nil || m.Snapshot.Urgent == nil {
		return false
	}
	return slices.ContainsFunc([]*UrgentSpec{m.Urgent, m.Refused}, func(held *UrgentSpec) bool {
		return held != nil && held.Version == m.Snapshot.Urgent.Version && held.checkSigned(root) != nil
	})
}

// FirstSeen is when a target was ordered first.
type FirstSeen struct {
	Target string    `json:"target"`
	First  time.Time `json:"first"`
}

// Limit applies the root's limits to urgent orders: the number of targets ordered on top of one release, and the time
// since each target was first seen. Ordering a target again does not extend its time. Limit returns the orders to enforce,
// and the first-seen times to pass to the next call.
func (u Urgent) Limit(entries []blocklist.Entry, seen []FirstSeen, now time.Time) ([]blocklist.Entry, []FirstSeen, error) {
	seen = slices.Clone(seen)
	limited := make([]blocklist.Entry, len(entries))
	for n, e := range entries {
		i := slices.IndexFunc(seen, func(s FirstSeen) bool { return s.Target == e.Target() })
		if i < 0 {
			i = len(seen)
			seen = append(seen, FirstSeen{Target: e.Target(), First: now.UTC().Truncate(time.Second)})
		}
		if last := seen[i].First.Add(u.Longest()); e.Expires.After(last) {
			e.Expires = last
		}
		limited[n] = e
	}
	if len(seen) > u.Entries {
		return nil, nil, fmt.Errorf("urgent orders: %w: %d targets since the last release, the root allows %d", blocklist.ErrUntrusted, len(seen), u.Entries)
	}
	return limited, seen, nil
}

// OrdersType is the media type of urgent orders.
const OrdersType = "application/json"

// OrdersError says that the reader of a bundle holds newer urgent orders than those in it. It wraps Err.
type OrdersError struct {
	Held []byte // the document that is held
	Err  error  // wraps [blocklist.ErrRollback]
}

// Error implements error.
func (e *OrdersError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *OrdersError) Unwrap() error { return e.Err }
