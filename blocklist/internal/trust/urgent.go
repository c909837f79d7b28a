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

// Limits on urgent orders, and the maximum size of their document, in bytes.
const (
	MaxUrgent      = 64 << 10
	MaxUrgentHours = 24
	MaxUrgentNames = 16
)

const (
	fieldUrgent = "x-argine-urgent" // in a root: the limits of urgent orders; in an urgent document: the orders
	metaUrgent  = "urgent.json"     // in a snapshot: the key of the reference to the newest urgent document
)

// Urgent has the limits that a root sets for urgent orders, which one officer alone may sign: at most Entries targets
// in addition to one release, each for at most Hours. The zero value allows none.
type Urgent struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

// Allowed reports whether the root allows urgent orders.
func (u Urgent) Allowed() bool { return u != Urgent{} }

// Longest returns the maximum duration of an urgent order.
func (u Urgent) Longest() time.Duration { return time.Duration(u.Hours) * time.Hour }

func (u Urgent) check() error {
	if u.Allowed() && (u.Entries < 1 || u.Entries > MaxUrgentNames || u.Hours < 1 || u.Hours > MaxUrgentHours) {
		return tuf.Malformed("root", "urgent orders of %d entries for %d hours: there may be 1 to %d, for 1 to %d hours", u.Entries, u.Hours,
			MaxUrgentNames, MaxUrgentHours)
	}
	return nil
}

// readField parses a field that Argine adds to a TUF document, and stores it in the variable that the last argument
// points to. It fails for unknown keys in the field. The argument what is the document's name in errors.
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

// readLimits parses the limits in a root. It returns the zero value if the root has none.
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

// MaxUrgentNumber is the highest number of an urgent document for one release.
const MaxUrgentNumber = 1<<urgentBits - 1

const urgentBits = 16

// UrgentVersion returns the version of an urgent document: it combines the serial of its release with a number from 1.
// So each version for a new release is higher than all versions for the previous one, and no officer can use up the
// versions.
func UrgentVersion(serial uint64, number int64) int64 { return int64(serial)<<urgentBits | number }

// UrgentSerial returns the serial of the release that an urgent document with this version is for.
func UrgentSerial(version int64) uint64 { return uint64(version) >> urgentBits }

// UrgentName returns the file name of an urgent document.
func UrgentName(version int64) string { return fmt.Sprintf("%d.urgent.json", version) }

// UrgentSpec is the content of an urgent document: the entries that one officer adds to a release. These entries end
// with the next release.
type UrgentSpec struct {
	List    string
	Version int64 // combines Serial and number, see [UrgentVersion]
	Expires time.Time
	Serial  uint64            // serial of the release to which the entries are added
	Entries []blocklist.Entry // sorted by target; each blocks and has an expiry
	Sealed  string            // the encrypted entries, for a confidential list

	doc *tuf.Targets // the parsed document; nil in the spec of a new one
}

// Number returns the number of the document among the urgent documents for its release, from 1.
func (spec UrgentSpec) Number() int64 { return spec.Version & MaxUrgentNumber }

// orders is the JSON form of the entries in the document.
type orders struct {
	Serial  uint64   `json:"serial"`
	Entries []string `json:"entries,omitempty"`
	Sealed  *string  `json:"sealed,omitempty"`
}

// NewUrgent returns an unsigned urgent document. With a list key, its entries are encrypted. It fails like
// [ParseUrgent].
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

// ParseUrgent parses an urgent document. It does not verify signatures. The document is a targets document without
// files, so it can't be used as a release. ParseUrgent fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
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

// Open decrypts the entries of a confidential list with its key. Without a key, they stay encrypted.
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

// readEntries parses the entries. They must be canonical lines in ascending order, block, and have an expiry.
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

// OpenUrgent parses urgent orders, and checks that at least one officer of the root has signed them and that their
// number is within the root's limit. The caller must apply the limit on their time with [Urgent.Limit]. Entries of a
// confidential list are decrypted if the key is known.
func OpenUrgent(root *Root, b []byte, k ListKey) (UrgentSpec, error) {
	spec, err := ParseUrgent(b)
	if err == nil {
		err = spec.Verify(root, k)
	}
	return spec, err
}

// ReviewUrgent is [OpenUrgent] for urgent orders that no officer has signed yet.
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

// Verify is [OpenUrgent] for parsed urgent orders.
func (spec *UrgentSpec) Verify(root *Root, k ListKey) error {
	if err := spec.checkSigned(root); err != nil {
		return err
	}
	return spec.openWithin(root, k)
}

// openWithin decrypts the entries, and returns an error if there are more than the root allows.
func (spec *UrgentSpec) openWithin(root *Root, k ListKey) error {
	if err := spec.Open(k); err != nil {
		return err
	}
	if limits := root.spec.Urgent; len(spec.Entries) > limits.Entries {
		return fmt.Errorf("urgent orders: %w: %d entries, root %d allows %d", blocklist.ErrUntrusted, len(spec.Entries), root.spec.Version, limits.Entries)
	}
	return nil
}

// checkSigned returns an error unless an officer of the root has signed the document, and [UrgentSpec.checkAllowed]
// returns none.
func (spec UrgentSpec) checkSigned(root *Root) error {
	if err := spec.checkAllowed(root); err != nil {
		return err
	}
	if len(root.count(&spec.doc.Document).Signed) == 0 {
		return fmt.Errorf("urgent orders: %w: no officer of root %d has signed them", blocklist.ErrUntrusted, root.spec.Version)
	}
	return nil
}

// checkAllowed returns an error unless the document is for the root's list, the root allows urgent orders, and the
// entries are encrypted if the list is confidential, and only then.
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

// AcceptUrgent verifies an urgent document against the metadata of a release: an officer must have signed it, it must
// be newer than the one in the metadata, or the same, and must not be for a later release. It returns the decrypted
// orders, and the metadata with the document. If the document violates another rule, AcceptUrgent fails, but returns
// metadata in which the document is refused, so that no older document is accepted.
func (m Metadata) AcceptUrgent(root *Root, signed UrgentSpec) (UrgentSpec, Metadata, error) {
	if err := m.checkUrgent(root, signed); err != nil {
		return signed, m, err
	}
	var key ListKey
	if signed.Serial == uint64(m.Targets.Version) { // another release may have another list key
		key = m.Key
	}
	opened := signed
	if err := opened.openWithin(root, key); err != nil {
		return opened, m.RefuseUrgent(signed), err
	}
	m.Urgent = &signed
	return opened, m, nil
}

// RefuseUrgent returns the metadata in which a signed document is refused: it is never enforced, and no older document
// is accepted.
func (m Metadata) RefuseUrgent(spec UrgentSpec) Metadata {
	if bytes.Equal(m.Urgent.Bytes(), spec.Bytes()) {
		m.Urgent = nil
	}
	m.Refused = &spec
	return m
}

// checkUrgent verifies the signature and the version (rollback) of an urgent document.
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
// signed. Documents of revoked officers do not count.
func (m Metadata) urgentVersion(root *Root) (newest int64) {
	for _, held := range []*UrgentSpec{m.Urgent, m.Refused} {
		if held != nil && held.checkSigned(root) == nil {
			newest = max(newest, held.Version)
		}
	}
	return newest
}

// namesRevoked reports whether the snapshot references urgent orders that no officer of this root has signed.
func (m Metadata) namesRevoked(root *Root) bool {
	if m.Snapshot == nil || m.Snapshot.Urgent == nil {
		return false
	}
	return slices.ContainsFunc([]*UrgentSpec{m.Urgent, m.Refused}, func(held *UrgentSpec) bool {
		return held != nil && held.Version == m.Snapshot.Urgent.Version && held.checkSigned(root) != nil
	})
}

// FirstSeen is the time of the first urgent order for a target.
type FirstSeen struct {
	Target string    `json:"target"`
	First  time.Time `json:"first"`
}

// Limit applies the root's limits to urgent orders. It fails with [blocklist.ErrUntrusted] if the number of targets
// ordered since the last release exceeds the root's limit. It shortens each order that ends more than [Urgent.Longest]
// after the target was first seen: ordering a target again does not extend its time. Limit returns the orders to
// enforce, and the first-seen times for the next call.
func (u Urgent) Limit(entries []blocklist.Entry, seen []FirstSeen, now time.Time) ([]blocklist.Entry, []FirstSeen,
	error,
) {
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

// OrdersError is returned if the receiver of a bundle has newer urgent orders than the bundle. It wraps Err.
type OrdersError struct {
	Held []byte // the receiver's newer document
	Err  error  // wraps [blocklist.ErrRollback]
}

// Error implements error.
func (e *OrdersError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *OrdersError) Unwrap() error { return e.Err }
