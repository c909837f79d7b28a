package trust

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

const (
	fieldConfidential = "x-argine-confidential" // in the signed part of a root: true for a confidential list
	fieldKey          = "x-argine-key"          // in the signed part of the targets of a confidential list: the ID of its key
	sealedSuffix      = ".age"                  // suffix of all files of a confidential list
)

// Digests and ledger heads of a confidential list are masked. Otherwise origins and mirrors could guess entries: a
// digest is a sum of the hashes of lines, so the difference of two digests is the hash of a change, which a dictionary
// attack reveals. The head of the ledger is a hash of guessable data, too.

// mask masks a digest or ledger head, or unmasks it again: it applies XOR with bytes derived from the key. These bytes
// differ for each purpose, list, serial and time of creation.
func (r Release) mask(k ListKey, purpose, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 {
		return "", tuf.Malformed("targets", "%s %.80q of serial %d: 64 hexadecimal digits are needed", purpose, text,
			r.Serial)
	}
	secret := k.derive(purpose, r.List, strconv.FormatUint(r.Serial, 10), r.Created.UTC().Format(time.RFC3339))
	for i := range b {
		b[i] ^= secret[i]
	}
	return hex.EncodeToString(b), nil
}

// masked returns the release with its digest and ledger head masked or unmasked.
func (r Release) masked(k ListKey) (Release, error) {
	out := r
	var err error
	if out.Digest, err = r.mask(k, "digest", r.Digest); err != nil {
		return out, err
	}
	out.Ledger, err = r.mask(k, "ledger", r.Ledger)
	return out, err
}

// seal returns the files as the targets document describes them. For a confidential list, it masks digests and ledger
// heads, and encrypts overrides.
func (spec TargetsSpec) seal() ([]File, error) {
	if spec.Key == nil {
		return spec.Files, nil
	}
	files, overrides := slices.Clone(spec.Files), map[string]string{}
	for i, f := range files {
		r, err := f.Release.masked(spec.Key)
		if err != nil {
			return nil, err
		}
		if why := r.Override; why != "" {
			if err := CheckOverride(why); err != nil {
				return nil, err
			}
			// Encryption is random, but all files of a serial must have the same text.
			id := fmt.Sprintf("%d %s", r.Serial, why)
			if overrides[id] == "" {
				if overrides[id], err = spec.Key.sealText(why); err != nil {
					return nil, err
				}
			}
			r.Override = overrides[id]
		}
		files[i].Release = r
	}
	return files, nil
}

// Open decrypts the targets of a confidential list: it unmasks digests and ledger heads, decrypts overrides, and sets
// the key of each file. Targets of other lists are returned unchanged. Open fails with [blocklist.ErrNoKey] if k is
// nil, and with [blocklist.ErrUntrusted] if k is another key.
func (spec TargetsSpec) Open(k ListKey) (TargetsSpec, error) {
	switch {
	case !spec.Confidential():
		return spec, nil
	case k == nil:
		return spec, fmt.Errorf("serial %d of %s: %w", spec.Version, spec.List, blocklist.ErrNoKey)
	case k.ID(spec.List) != spec.KeyID:
		return spec, fmt.Errorf("serial %d of %s: %w: its list key is another one", spec.Version, spec.List,
			blocklist.ErrUntrusted)
	}
	spec.Key, spec.Files = k, slices.Clone(spec.Files)
	for i := range spec.Files {
		f := &spec.Files[i]
		r, err := f.Release.masked(k)
		if err == nil && r.Override != "" {
			if r.Override, err = k.unsealText(r.Override, maxOverride); err == nil {
				err = CheckOverride(r.Override)
			}
		}
		if err != nil {
			return spec, fmt.Errorf("file %q: %w", f.Path, err)
		}
		f.Release, f.Key = r, k
	}
	return spec, nil
}

// Confidential reports whether the list is confidential.
func (spec TargetsSpec) Confidential() bool { return spec.KeyID != "" }

// All returns all files in the targets: release files and key files.
func (spec TargetsSpec) All() []File { return slices.Concat(spec.Files, spec.Keys) }

// KeyFile returns the key file for a kind of recipients.
func (spec TargetsSpec) KeyFile(kind string) (File, bool) {
	i := slices.IndexFunc(spec.Keys, func(f File) bool { return f.kind() == kind })
	if i < 0 {
		return File{}, false
	}
	return spec.Keys[i], true
}

// NewKeyFile describes the key file for a kind of recipients.
func NewKeyFile(kind string, length int64, sum []byte) File {
	return File{Path: keyPath(kind), Length: length, SHA256: sum}
}

// readKey sets KeyID from the field of a targets document that has the ID of the list key. It changes nothing if the
// document has no such field.
func (spec *TargetsSpec) readKey(fields map[string]any) error {
	value, ok := fields[fieldKey]
	if !ok {
		return nil
	}
	id, _ := value.(string)
	if b, err := hex.DecodeString(id); err != nil || len(b) != 32 || id != strings.ToLower(id) {
		return tuf.Malformed("targets", "%s: 64 lower-case hexadecimal digits are needed", fieldKey)
	}
	spec.KeyID = id
	return nil
}

// addKeyFile adds a key file to the targets. Its TUF target must have a length and a hash, and nothing else.
func (spec *TargetsSpec) addKeyFile(f File, t tuf.Target) error {
	switch {
	case !spec.Confidential():
		return tuf.Malformed("targets", "file %q, but the list is not confidential", f.Path)
	case t.Custom != nil, len(f.SHA256) != 32, f.Length < 1, f.Length > MaxKeyFile:
		return tuf.Malformed("targets", "file %q: it has a length of at most %d, a SHA-256, and nothing else", f.Path,
			MaxKeyFile)
	}
	spec.Keys = append(spec.Keys, f)
	return nil
}

// readConfidential reports whether the signed part of a root says that the list is confidential. It fails if the field
// has another value than true.
func readConfidential(fields map[string]any) (bool, error) {
	value, ok := fields[fieldConfidential]
	if yes, _ := value.(bool); ok && !yes {
		return false, tuf.Malformed("root", "%s is true, or left out", fieldConfidential)
	}
	return ok, nil
}

// checkConfidential fails unless root and targets agree on whether the list is confidential. So a confidential list
// can't be served in the clear.
func checkConfidential(root *Root, spec TargetsSpec) error {
	switch {
	case root.spec.Confidential && !spec.Confidential():
		return fmt.Errorf("serial %d of %s: %w: it is in the clear, but root %d says that the list is confidential; make a new release",
			spec.Version, spec.List, blocklist.ErrUntrusted, root.spec.Version)
	case !root.spec.Confidential && spec.Confidential():
		return fmt.Errorf("serial %d of %s: %w: it is encrypted, but root %d does not say that the list is confidential",
			spec.Version, spec.List, blocklist.ErrUntrusted, root.spec.Version)
	}
	return nil
}
