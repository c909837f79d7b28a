package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
)

// RootSpec is what a root says: whom to believe about a list.
type RootSpec struct {
	List      string
	Version   int64 // from 1, each one more than the root before
	Expires   time.Time
	Officers  []notekey.Key // who may sign roots and targets
	Threshold int           // how many of them must
	Online    notekey.Key   // the origin's key, for snapshot and timestamp
	Urgent    Urgent
	// Confidential lists are encrypted to their subscribers. Once a list is, all of its later roots say so.
	Confidential bool
}

// Root is a root that follows the rules. Whether to trust it is another question: see [OpenRoot] and [CheckNextRoot].
type Root struct {
	spec RootSpec
	raw  []byte
	id   string
}

// Spec returns what the root says.
func (r *Root) Spec() RootSpec { return r.spec }

// Version returns the number of the root, from 1.
func (r *Root) Version() int64 { return r.spec.Version }

// Bytes returns the document as it was read. It must not be changed.
func (r *Root) Bytes() []byte { return r.raw }

// NewRoot returns an unsigned root. It fails like [ParseRoot].
func NewRoot(spec RootSpec) ([]byte, error) {
	m := metadata.Root(spec.Expires.UTC().Truncate(time.Second))
	m.Signed.Version = spec.Version
	m.Signed.UnrecognizedFields = map[string]any{fieldList: spec.List}
	if spec.Urgent.Allowed() {
		m.Signed.UnrecognizedFields[fieldUrgent] = map[string]any{"entries": spec.Urgent.Entries, "hours": spec.Urgent.Hours}
	}
	if spec.Confidential {
		m.Signed.UnrecognizedFields[fieldConfidential] = true
	}
	officers, err := addKeys(m, spec.Officers)
	if err != nil {
		return nil, err
	}
	online, err := addKeys(m, []notekey.Key{spec.Online})
	if err != nil {
		return nil, err
	}
	m.Signed.Roles[metadata.ROOT] = &metadata.Role{KeyIDs: officers, Threshold: spec.Threshold}
	m.Signed.Roles[metadata.TARGETS] = &metadata.Role{KeyIDs: officers, Threshold: spec.Threshold}
	m.Signed.Roles[metadata.SNAPSHOT] = &metadata.Role{KeyIDs: online, Threshold: 1}
	m.Signed.Roles[metadata.TIMESTAMP] = &metadata.Role{KeyIDs: online, Threshold: 1}
	b, err := m.ToBytes(false)
	if err != nil {
		return nil, fmt.Errorf("writing the root: %w", err)
	}
	_, err = ParseRoot(b)
	return b, err
}

func addKeys(m *metadata.Metadata[metadata.RootType], keys []notekey.Key) (ids []string, err error) {
	for _, k := range keys {
		id, key, err := keyToTUF(k)
		if err != nil {
			return nil, err
		}
		if other, twice := m.Signed.Keys[id]; twice {
			return nil, malformed("root", "%s and %s are one and the same key", other.UnrecognizedFields[fieldName], k.Name)
		}
		m.Signed.Keys[id] = key
		ids = append(ids, id)
	}
	return ids, nil
}

// ParseRoot reads a root and holds it to the rules: at least one signature needed and no more than there are officers,
// ed25519 keys only, no public key and no name twice, none of the officers' keys online, a list name, an expiry. It does
// not look at signatures. It fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func ParseRoot(b []byte) (*Root, error) {
	m, err := parseRole[metadata.RootType]("root", b, MaxRoot)
	if err != nil {
		return nil, err
	}
	s := &m.Signed
	spec := RootSpec{Version: s.Version, Expires: s.Expires}
	if err := checkSigned("root", s.Type, metadata.ROOT, s.Version, s.Expires); err != nil {
		return nil, err
	}
	if spec.List, err = signedList("root", s.UnrecognizedFields); err != nil {
		return nil, err
	}
	if spec.Urgent, err = readLimits(s.UnrecognizedFields); err != nil {
		return nil, err
	}
	if spec.Confidential, err = readConfidential(s.UnrecognizedFields); err != nil {
		return nil, err
	}
	if !s.ConsistentSnapshot {
		return nil, malformed("root", "consistent_snapshot must be true")
	}
	if err := spec.readRoles(s); err != nil {
		return nil, err
	}
	id, err := signedSum("root", b, MaxRoot)
	return &Root{spec: spec, raw: b, id: id}, err
}

// checkSigned checks what all roles have in common.
func checkSigned(what, got, want string, version int64, expires time.Time) error {
	switch {
	case got != want:
		return malformed(what, "the document is of type %.80q", got)
	case version < 1:
		return malformed(what, "version %d", version)
	case expires.IsZero():
		return malformed(what, "there is no expiry")
	}
	return nil
}

func signedList(what string, fields map[string]any) (string, error) {
	list, _ := fields[fieldList].(string)
	if err := blocklist.CheckListName(list); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}

// readRoles reads keys and thresholds: one set of officers, one online key, nothing besides.
func (spec *RootSpec) readRoles(s *metadata.RootType) error {
	root, targets := s.Roles[metadata.ROOT], s.Roles[metadata.TARGETS]
	snapshot, timestamp := s.Roles[metadata.SNAPSHOT], s.Roles[metadata.TIMESTAMP]
	if root == nil || targets == nil || snapshot == nil || timestamp == nil || len(s.Roles) != 4 {
		return malformed("root", "it must have the four roles root, targets, snapshot and timestamp")
	}
	if !sameRole(root, targets) || !sameRole(snapshot, timestamp) || len(snapshot.KeyIDs) != 1 || snapshot.Threshold != 1 {
		return malformed("root", "root and targets need the same officers and threshold, snapshot and timestamp the same one key")
	}
	spec.Threshold = root.Threshold
	return spec.readKeys(s, root, snapshot)
}

func (spec *RootSpec) readKeys(s *metadata.RootType, root, snapshot *metadata.Role) error {
	for _, id := range slices.Concat(root.KeyIDs, snapshot.KeyIDs) {
		key, ok := s.Keys[id]
		if !ok {
			return malformed("root", "key %.80q is missing", id)
		}
		k, err := keyFromTUF(id, key)
		if err != nil {
			return err
		}
		spec.Officers = append(spec.Officers, k)
	}
	last := len(spec.Officers) - 1
	spec.Online, spec.Officers = spec.Officers[last], spec.Officers[:last]
	if len(s.Keys) != last+1 {
		return malformed("root", "it has %d keys, its roles use %d", len(s.Keys), last+1)
	}
	return spec.checkKeys()
}

func sameRole(a, b *metadata.Role) bool {
	return a.Threshold == b.Threshold && slices.Equal(a.KeyIDs, b.KeyIDs)
}

// checkKeys counts by public key: a key that is there under two names would give one person two votes.
func (spec *RootSpec) checkKeys() error {
	n := len(spec.Officers)
	if spec.Threshold < 1 || spec.Threshold > n || n > MaxOfficers {
		return malformed("root", "threshold %d of %d officers: it must be at least 1 and no more than there are officers, at most %d",
			spec.Threshold, n, MaxOfficers)
	}
	byKey, names := map[string]string{string(spec.Online.Public): spec.Online.Name}, map[string]bool{}
	for _, k := range spec.Officers {
		if other, twice := byKey[string(k.Public)]; twice {
			return malformed("root", "%s and %s are one and the same key", other, k.Name)
		}
		if names[k.Name] {
			return malformed("root", "two officers are named %s", k.Name)
		}
		byKey[string(k.Public)], names[k.Name] = k.Name, true
	}
	return nil
}

// Signatures counts the officers who signed a document: distinct public keys with a valid signature.
type Signatures struct {
	Threshold int
	Signed    []notekey.Key // who signed
	Missing   []notekey.Key // officers who did not
}

// Enough reports whether the threshold is reached.
func (s Signatures) Enough() bool { return s.Threshold > 0 && len(s.Signed) >= s.Threshold }

// Err returns nil if there are enough signatures, else an error that says whose are missing. It wraps
// [blocklist.ErrUntrusted].
func (s Signatures) Err(what string) error {
	if s.Enough() {
		return nil
	}
	return fmt.Errorf("%s: %w: it has %d of %d signatures; %d more needed, of %s", what, blocklist.ErrUntrusted,
		len(s.Signed), s.Threshold, s.Threshold-len(s.Signed), names(s.Missing))
}

func names(keys []notekey.Key) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Name)
	}
	return strings.Join(all, ", ")
}

// CheckSignatures tells which of the root's officers have signed a root or targets document.
func CheckSignatures(root *Root, doc []byte) (Signatures, error) {
	s := Signatures{Threshold: root.spec.Threshold}
	d, err := parseDocument("metadata", doc, MaxTargets)
	if err != nil {
		return s, err
	}
	payload, err := d.payload()
	if err != nil {
		return s, err
	}
	for _, k := range root.spec.Officers { // distinct public keys: ParseRoot saw to that
		if d.signedBy(k, payload) {
			s.Signed = append(s.Signed, k)
		} else {
			s.Missing = append(s.Missing, k)
		}
	}
	return s, nil
}

func checkEnough(root *Root, what string, doc []byte) error {
	s, err := CheckSignatures(root, doc)
	if err != nil {
		return err
	}
	return s.Err(what)
}

// OpenRoot reads a root that the caller trusts from elsewhere, and checks that enough of its own officers have signed it.
func OpenRoot(b []byte) (*Root, error) {
	root, err := ParseRoot(b)
	if err != nil {
		return nil, err
	}
	if err := checkEnough(root, rootName(root.spec.Version), b); err != nil {
		return nil, err
	}
	return root, nil
}

// CheckNextRoot reads the root that follows held. It must be signed by enough officers of held and enough of its own.
// An expired root is fine as a step to the next. It fails with [blocklist.ErrUntrusted], or as ParseRoot does.
func CheckNextRoot(held *Root, next []byte) (*Root, error) {
	root, err := ParseRoot(next)
	if err != nil {
		return nil, err
	}
	what := rootName(root.spec.Version)
	switch {
	case root.spec.List != held.spec.List:
		return nil, fmt.Errorf("%s: %w: it is of list %q, not %q", what, blocklist.ErrUntrusted, root.spec.List, held.spec.List)
	case held.spec.Confidential && !root.spec.Confidential:
		return nil, fmt.Errorf("%s: %w: a confidential list stays confidential; another list may be in the clear", what, blocklist.ErrUntrusted)
	case root.spec.Version != held.spec.Version+1:
		return nil, fmt.Errorf("%s: %w: it does not follow root %d", what, blocklist.ErrUntrusted, held.spec.Version)
	}
	if err := checkEnough(held, what+", by the officers of the root before", next); err != nil {
		return nil, err
	}
	if err := checkEnough(root, what, next); err != nil {
		return nil, err
	}
	if err := FollowRoot(held.raw, next); err != nil {
		return nil, err
	}
	return root, nil
}

// OpenRoots reads the roots of a list from the first one, which the caller trusts from elsewhere, to the newest: each must
// be signed as [CheckNextRoot] asks. Expired ones are fine.
func OpenRoots(all [][]byte) (roots []*Root, err error) {
	if len(all) == 0 {
		return nil, malformed("roots", "there is none")
	}
	root, err := OpenRoot(all[0])
	if err != nil {
		return nil, err
	}
	roots = append(roots, root)
	for _, b := range all[1:] {
		if root, err = CheckNextRoot(root, b); err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// ID identifies what the root says, whoever signed it: the SHA-256 of its signed part, hexadecimal.
func (r *Root) ID() string { return r.id }

func rootName(version int64) string { return fmt.Sprintf("root %d", version) }
