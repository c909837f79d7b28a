package trust

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Release is the signed description of one release, and of the file that contains the release.
type Release struct {
	List    string    `json:"list"`
	Serial  uint64    `json:"serial"`
	Base    uint64    `json:"base"` // serial of the state that a delta applies to; 0: the file is a snapshot
	Entries uint64    `json:"entries"`
	Digest  string    `json:"digest"` // digest of the list's entries, see [blocklist.Digest]
	Created time.Time `json:"created"`
	Ledger  string    `json:"ledger"` // head of the agency's ledger (a hash chain), in hexadecimal
	// Override is the agency's reason for overriding its guards; empty if they did not hold the release.
	Override string `json:"override,omitempty"`
}

// maxOverride is the maximum length of the reason for an override, in bytes.
const maxOverride = 1 << 10

// maxSealedOverride is an upper bound on the length of an encrypted reason in base64, in bytes.
const maxSealedOverride = 4 << 10

// CheckOverride returns an error unless a text is a valid reason for an override: one line of printable text.
func CheckOverride(text string) error {
	if !utf8text.IsLine(text, maxOverride) {
		return tuf.Malformed("override", "%.40q: it is one line of at most 1 KiB", text)
	}
	return nil
}

// File is one signed file of a release: a snapshot or a delta. Key files have no Release.
type File struct {
	Path    string // path in the targets document, such as snapshot-42.txt.zst
	Length  int64  // in bytes
	SHA256  []byte
	Release Release
	Key     ListKey `json:",omitempty"` // the key that decrypts the file of a confidential list
}

// URLPath returns the path of the file below the list's folder on an origin or mirror.
func (f File) URLPath() string { return "targets/" + hex.EncodeToString(f.SHA256) + "." + f.Path }

// Equal reports whether the signed descriptions of two files are the same.
func (f File) Equal(other File) bool {
	return f.Path == other.Path && f.Length == other.Length && bytes.Equal(f.SHA256, other.SHA256) &&
		f.Release == other.Release
}

// TargetsSpec is the content of a targets document: the files of a list.
type TargetsSpec struct {
	List    string
	Version int64 // serial of the newest release
	Expires time.Time
	Files   []File // files of releases, sorted by path

	// Only for a confidential list:

	Keys  []File  // key files, one for each kind of recipients
	KeyID string  // ID of the list key, see [ListKey.ID]; empty: the list is not confidential
	Key   ListKey // set by Open after Files were decrypted; nil: not opened, or not confidential

	doc *tuf.Targets // the parsed document; nil in the spec of a new one
}

// NewTargets returns an unsigned targets document. If the spec has a key, the list is confidential. It fails like
// [ParseTargets].
func NewTargets(spec TargetsSpec) ([]byte, error) {
	more, targets := map[string]any{fieldList: spec.List}, map[string]tuf.Object[tuf.Target]{}
	if spec.Key != nil {
		more[fieldKey] = spec.Key.ID(spec.List)
	}
	for _, f := range spec.Keys {
		targets[f.Path] = f.target(nil)
	}
	files, err := spec.seal()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		f.Release.Created = f.Release.Created.UTC().Truncate(time.Second)
		custom, err := json.Marshal(f.Release)
		if err != nil {
			return nil, tuf.Malformed("targets", "%v", err)
		}
		targets[f.Path] = f.target(custom)
	}
	fields := tuf.TargetsFields{Header: tuf.NewHeader(tuf.RoleTargets, spec.Version, spec.Expires), Targets: targets}
	b, err := tuf.New(tuf.Object[tuf.TargetsFields]{Known: fields, More: more})
	if err != nil {
		return nil, fmt.Errorf("writing the targets: %w", err)
	}
	_, err = ParseTargets(b)
	return b, err
}

// target returns the file as a TUF target. The argument custom is its release in JSON; nil: none.
func (f File) target(custom json.RawMessage) tuf.Object[tuf.Target] {
	return tuf.Object[tuf.Target]{Known: tuf.Target{Length: f.Length, Hashes: map[string]tuf.HexBytes{"sha256": f.SHA256}, Custom: custom}}
}

// ParseTargets parses a targets document. It does not verify signatures. The files must form an update path: a
// snapshot, and deltas from there to the newest serial. It fails with [blocklist.ErrMalformed] or
// [blocklist.ErrTooLarge].
func ParseTargets(b []byte) (TargetsSpec, error) {
	doc, err := tuf.ParseTargets("targets", b, tuf.MaxTargets)
	if err != nil {
		return TargetsSpec{}, err
	}
	spec := TargetsSpec{Version: doc.Version, Expires: doc.Expires, doc: doc}
	if spec.List, err = signedList("targets", doc.More); err != nil {
		return spec, err
	}
	if err := spec.readKey(doc.More); err != nil {
		return spec, err
	}
	if len(doc.Targets) > MaxFiles {
		return spec, fmt.Errorf("targets: %w: %d files", blocklist.ErrTooLarge, len(doc.Targets))
	}
	for path, t := range doc.Targets {
		if err := spec.addFile(path, t.Known); err != nil {
			return spec, err
		}
	}
	byPath := func(a, b File) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(spec.Files, byPath)
	slices.SortFunc(spec.Keys, byPath)
	return spec, spec.checkUpdatePath()
}

// addFile adds a file of the document to Files, or to Keys if it is a key file.
func (spec *TargetsSpec) addFile(path string, t tuf.Target) error {
	if f := (File{Path: path, Length: t.Length, SHA256: t.Hashes["sha256"]}); f.kind() != "" {
		return spec.addKeyFile(f, t)
	}
	f, err := fileFromTUF(path, t)
	if err == nil {
		err = f.check(*spec)
	}
	spec.Files = append(spec.Files, f)
	return err
}

func fileFromTUF(path string, t tuf.Target) (f File, err error) {
	f = File{Path: path, Length: t.Length, SHA256: t.Hashes["sha256"]}
	if t.Custom == nil {
		return f, tuf.Malformed("targets", "file %.80q does not say which release it is", path)
	}
	if err := json.Unmarshal(t.Custom, &f.Release); err != nil {
		return f, tuf.Malformed("targets", "file %.80q: %v", path, err)
	}
	return f, nil
}

// check fails unless the path and the fields of the file are valid and match those of the targets document.
func (f File) check(in TargetsSpec) error {
	r := f.Release
	_, err := blocklist.ParseDigest(r.Digest)
	switch {
	case !validPath(f.Path):
		return tuf.Malformed("targets", "file name %.80q: it needs lower-case letters, digits, dots and hyphens, at most %d", f.Path, maxPath)
	case f.Length < 1 || len(f.SHA256) != 32:
		return tuf.Malformed("targets", "file %q has no length or no SHA-256", f.Path)
	case err != nil:
		return fmt.Errorf("targets: file %q: %w", f.Path, err)
	case r.List != in.List:
		return tuf.Malformed("targets", "file %q is of list %.80q, the document is of %q", f.Path, r.List, in.List)
	case r.Serial < 1 || r.Serial > uint64(in.Version):
		return tuf.Malformed("targets", "file %q has serial %d, the document has %d", f.Path, r.Serial, in.Version)
	case r.Base >= r.Serial || r.Entries > blocklist.MaxEntries:
		return tuf.Malformed("targets", "file %q: base %d, serial %d, %d entries", f.Path, r.Base, r.Serial, r.Entries)
	case in.Confidential() != strings.HasSuffix(f.Path, sealedSuffix):
		return tuf.Malformed("targets", "file %q: the names of encrypted files, and only these, end in %s", f.Path, sealedSuffix)
	case in.Confidential() && len(r.Override) <= maxSealedOverride:
		return nil
	}
	return CheckOverride(r.Override)
}

const maxPath = 128

func validPath(p string) bool {
	return p != "" && len(p) <= maxPath && p[0] != '.' && p[0] != '-' &&
		strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// matches returns an error if the signed description of a release differs from the header of its file.
func (r Release) matches(h blocklist.Header) error {
	same := r.List == h.List && r.Serial == h.Serial && r.Base == h.Base && r.Entries == h.Entries &&
		r.Digest == h.Digest.String() && r.Created.Equal(h.Created)
	if same {
		return nil
	}
	return fmt.Errorf("%w: the file says %s serial %d base %d with %d entries and digest %.8s, signed was %s serial %d base %d with %d and %.8s",
		blocklist.ErrUntrusted, h.List, h.Serial, h.Base, h.Entries, h.Digest, r.List, r.Serial, r.Base, r.Entries, r.Digest)
}

// OpenTargets parses a targets document, and checks that it is for the root's list and that enough officers have signed
// it.
func OpenTargets(root *Root, b []byte) (TargetsSpec, error) {
	spec, err := ParseTargets(b)
	if err == nil {
		err = spec.Verify(root)
	}
	return spec, err
}

// Verify is [OpenTargets] for parsed targets.
func (spec TargetsSpec) Verify(root *Root) error {
	_, err := spec.Signatures(root)
	return err
}

// Signatures returns which officers of the root have signed the targets. It fails as [TargetsSpec.Verify] does.
func (spec TargetsSpec) Signatures(root *Root) (s Signatures, err error) {
	if spec.List != root.spec.List {
		return s, fmt.Errorf("targets: %w: they are of list %q, not %q", blocklist.ErrUntrusted, spec.List, root.spec.List)
	}
	if s, err = root.enough(fmt.Sprintf("serial %d of %s", spec.Version, spec.List), &spec.doc.Document); err != nil {
		return s, err
	}
	return s, checkConfidential(root, spec)
}

// CheckNewer compares a new targets document with the previous one. It returns [blocklist.ErrRollback] if the new one
// has a lower serial, or the same serial and different content. The argument held is the previous document, or nil if
// there is none.
func CheckNewer(held *TargetsSpec, next TargetsSpec) error {
	if held == nil {
		return nil
	}
	if next.Version < held.Version || next.Version == held.Version && next.doc.Sum() != held.doc.Sum() {
		return &blocklist.SerialError{
			List: next.List, Held: uint64(held.Version), Got: uint64(next.Version), Err: blocklist.ErrRollback,
		}
	}
	return nil
}
