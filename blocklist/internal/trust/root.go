package trust

import (
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// RootSpec is the content of a root: who may sign for a list, and the limits on urgent orders.
type RootSpec struct {
	List      string
	Version   int64 // from 1; one more than that of the previous root
	Expires   time.Time
	Officers  []notekey.Key // officers, who may sign roots and targets
	Threshold int           // number of officers who must sign
	Online    notekey.Key   // the origin's key, which signs snapshots and timestamps
	Urgent    Urgent
	// Confidential is true if release files are encrypted to the subscribers. If a root is confidential, all later ones
	// must be, too.
	Confidential bool
}

// Root is a parsed root in valid form. To verify its signatures, use [OpenRoot] or [CheckNextRoot].
type Root struct {
	spec RootSpec
	doc  *tuf.Root
}

// Spec returns the content of the root.
func (r *Root) Spec() RootSpec { return r.spec }

// Version returns the version of the root, from 1.
func (r *Root) Version() int64 { return r.spec.Version }

// Bytes returns the received document. It must not be changed.
func (r *Root) Bytes() []byte { return r.doc.Raw }

// NewRoot returns an unsigned root. It fails like [ParseRoot].
func NewRoot(spec RootSpec) ([]byte, error) {
	more := map[string]any{fieldList: spec.List}
	if spec.Urgent.Allowed() {
		more[fieldUrgent] = map[string]any{"entries": spec.Urgent.Entries, "hours": spec.Urgent.Hours}
	}
	if spec.Confidential {
		more[fieldConfidential] = true
	}
	keys := map[string]tuf.Object[tuf.Key]{}
	officers, err := addKeys(keys, spec.Officers)
	if err != nil {
		return nil, err
	}
	onlineID, err := addKeys(keys, []notekey.Key{spec.Online})
	if err != nil {
		return nil, err
	}
	offline, online := tuf.Role{KeyIDs: officers, Threshold: spec.Threshold}, tuf.Role{KeyIDs: onlineID, Threshold: 1}
	b, err := tuf.New(tuf.Object[tuf.RootFields]{More: more, Known: tuf.RootFields{
		Header: tuf.NewHeader(tuf.RoleRoot, spec.Version, spec.Expires), ConsistentSnapshot: true, Keys: keys,
		Roles: map[string]tuf.Object[tuf.Role]{
			tuf.RoleRoot: {Known: offline}, tuf.RoleTargets: {Known: offline},
			tuf.RoleSnapshot: {Known: online}, tuf.RoleTimestamp: {Known: online},
		},
	}})
	if err != nil {
		return nil, fmt.Errorf("writing the root: %w", err)
	}
	_, err = ParseRoot(b)
	return b, err
}

func addKeys(into map[string]tuf.Object[tuf.Key], keys []notekey.Key) (ids []string, err error) {
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return nil, err
		}
		id := tuf.KeyID(k.Public)
		if other, twice := into[id]; twice {
			return nil, tuf.Malformed("root", "%s and %s are one and the same key", other.More[fieldName], k.Name)
		}
		into[id] = tuf.Object[tuf.Key]{Known: tuf.NewKey(k.Public), More: map[string]any{fieldName: k.Name}}
		ids = append(ids, id)
	}
	return ids, nil
}

// ParseRoot parses a root and checks its form: ed25519 keys only, all keys and names distinct, an online key that is no
// officer's, a threshold from 1 to the number of officers, a list name, and an expiry. It does not verify signatures.
// It fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func ParseRoot(b []byte) (*Root, error) {
	doc, err := tuf.ParseRoot(b)
	if err != nil {
		return nil, err
	}
	spec := RootSpec{Version: doc.Version, Expires: doc.Expires}
	if spec.List, err = signedList("root", doc.More); err != nil {
		return nil, err
	}
	if spec.Urgent, err = readLimits(doc.More); err != nil {
		return nil, err
	}
	if spec.Confidential, err = readConfidential(doc.More); err != nil {
		return nil, err
	}
	if !doc.ConsistentSnapshot {
		return nil, tuf.Malformed("root", "consistent_snapshot must be true")
	}
	if err := spec.readRoles(doc.RootFields); err != nil {
		return nil, err
	}
	return &Root{spec: spec, doc: doc}, nil
}

func signedList(what string, fields map[string]any) (string, error) {
	list, _ := fields[fieldList].(string)
	if err := blocklist.CheckListName(list); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}

// readRoles parses the keys and the threshold. There must be one set of officers and one online key.
func (spec *RootSpec) readRoles(s tuf.RootFields) error {
	root, targets := s.Roles[tuf.RoleRoot].Known, s.Roles[tuf.RoleTargets].Known
	snapshot, timestamp := s.Roles[tuf.RoleSnapshot].Known, s.Roles[tuf.RoleTimestamp].Known
	if len(root.KeyIDs)*len(targets.KeyIDs)*len(snapshot.KeyIDs)*len(timestamp.KeyIDs) == 0 || len(s.Roles) != 4 {
		return tuf.Malformed("root", "it must have the four roles root, targets, snapshot and timestamp")
	}
	if !sameRole(root, targets) || !sameRole(snapshot, timestamp) || len(snapshot.KeyIDs) != 1 || snapshot.Threshold != 1 {
		return tuf.Malformed("root", "root and targets need the same officers and threshold, snapshot and timestamp the same one key")
	}
	spec.Threshold = root.Threshold
	return spec.readKeys(s, root, snapshot)
}

func (spec *RootSpec) readKeys(s tuf.RootFields, root, snapshot tuf.Role) error {
	for _, id := range slices.Concat(root.KeyIDs, snapshot.KeyIDs) {
		key, ok := s.Keys[id]
		if !ok {
			return tuf.Malformed("root", "key %.80q is missing", id)
		}
		k, err := readKey(id, key)
		if err != nil {
			return err
		}
		spec.Officers = append(spec.Officers, k)
	}
	last := len(spec.Officers) - 1
	spec.Online, spec.Officers = spec.Officers[last], spec.Officers[:last]
	if len(s.Keys) != last+1 {
		return tuf.Malformed("root", "it has %d keys, its roles use %d", len(s.Keys), last+1)
	}
	return spec.checkKeys()
}

// readKey parses a key of a root.
func readKey(id string, from tuf.Object[tuf.Key]) (notekey.Key, error) {
	name, _ := from.More[fieldName].(string)
	public, ok := from.Known.Public()
	k := notekey.Key{Name: name, Public: public}
	if !ok {
		return k, tuf.Malformed("root", "key %.80q is not an ed25519 key", name)
	}
	if err := k.Check(); err != nil {
		return k, err
	}
	if id != tuf.KeyID(public) {
		return k, tuf.Malformed("root", "key %q stands under an identifier that is not its own", name)
	}
	return k, nil
}

func sameRole(a, b tuf.Role) bool {
	return a.Threshold == b.Threshold && slices.Equal(a.KeyIDs, b.KeyIDs)
}

// checkKeys checks the threshold, and that keys and names are distinct. Otherwise one key under two names would count
// twice.
func (spec *RootSpec) checkKeys() error {
	n := len(spec.Officers)
	if spec.Threshold < 1 || spec.Threshold > n || n > MaxOfficers {
		return tuf.Malformed("root", "threshold %d of %d officers: it must be at least 1 and no more than there are officers, at most %d",
			spec.Threshold, n, MaxOfficers)
	}
	byKey, names := map[string]string{string(spec.Online.Public): spec.Online.Name}, map[string]bool{}
	for _, k := range spec.Officers {
		if other, twice := byKey[string(k.Public)]; twice {
			return tuf.Malformed("root", "%s and %s are one and the same key", other, k.Name)
		}
		if names[k.Name] {
			return tuf.Malformed("root", "two officers are named %s", k.Name)
		}
		byKey[string(k.Public)], names[k.Name] = k.Name, true
	}
	return nil
}

// OpenRoot parses a root that the caller trusts, and checks that enough of its own officers have signed it.
func OpenRoot(b []byte) (*Root, error) {
	root, err := ParseRoot(b)
	if err != nil {
		return nil, err
	}
	if err := root.checkEnough(rootName(root.spec.Version), &root.doc.Document); err != nil {
		return nil, err
	}
	return root, nil
}

// CheckNextRoot parses the successor of a root. Enough officers of the previous root, and enough officers of the new
// root itself, must have signed it. The new root may be expired, since there may be further roots. CheckNextRoot fails
// with [blocklist.ErrUntrusted], or like ParseRoot.
func CheckNextRoot(held *Root, next []byte) (*Root, error) {
	root, err := ParseRoot(next)
	if err != nil {
		return nil, err
	}
	what := rootName(root.spec.Version)
	switch {
	case root.spec.List != held.spec.List:
		return nil, fmt.Errorf("%s: %w: it is of list %q, not %q", what, blocklist.ErrUntrusted, root.spec.List,
			held.spec.List)
	case held.spec.Confidential && !root.spec.Confidential:
		return nil, fmt.Errorf("%s: %w: a confidential list stays confidential; another list may be in the clear", what,
			blocklist.ErrUntrusted)
	case root.spec.Version != held.spec.Version+1:
		return nil, fmt.Errorf("%s: %w: it does not follow root %d", what, blocklist.ErrUntrusted, held.spec.Version)
	}
	if err := held.checkEnough(what+", by the officers of the root before", &root.doc.Document); err != nil {
		return nil, err
	}
	if err := root.checkEnough(what, &root.doc.Document); err != nil {
		return nil, err
	}
	return root, nil
}

// OpenRoots parses all roots of a list, from the first one, which the caller trusts, to the newest. Each must satisfy
// [CheckNextRoot]. They may be expired.
func OpenRoots(all [][]byte) (roots []*Root, err error) {
	if len(all) == 0 {
		return nil, tuf.Malformed("roots", "there is none")
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

// ID returns the SHA-256 of the root's signed part, in hexadecimal. It identifies the content, independently of the
// signatures.
func (r *Root) ID() string { return r.doc.Sum() }

func rootName(version int64) string { return fmt.Sprintf("root %d", version) }
