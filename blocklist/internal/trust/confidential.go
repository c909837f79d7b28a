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
	fieldConfidential = "x-argine-confidential" // signed part of a root: true where the list is
	fieldKey          = "x-argine-key"          // signed part of the targets of a confidential list: its key's ID
	sealedSuffix      = ".age"                  // of every file of a confidential list
)

// The digest of a state is a sum of hashes of lines, so that the difference of two digests is the hash of what changed:
// a dictionary opens it. The same holds for the ledger's head, a hash over what may be guessed. What origins and
// mirrors see of both is masked.

// mask adds, or takes away, what only who has the key can know. It is another one for each list, serial and time.
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

// masked returns the release with digest and ledger masked, or unmasked.
func (r Release) masked(k ListKey) (Release, error) {
	out := r
	var err error
	if out.Digest, err = r.mask(k, "digest", r.Digest); err != nil {
		return out, err
	}
	out.Ledger, err = r.mask(k, "ledger", r.Ledger)
	return out, err
}

// seal returns the files as they stand in the document.
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
			// Age encrypts the same text to other bytes each time; all files of a serial must say the same.
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

// Open returns what the targets of a confidential list say to who has its key: digests, ledger and overrides in the
// clear, and files that can be read. The targets of any other list it returns as they are. It fails with
// [blocklist.ErrNoKey] without a key, and with [blocklist.ErrUntrusted] for another one.
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

// Confidential reports whether the list is.
func (spec TargetsSpec) Confidential() bool { return spec.KeyID != "" }

// All returns every file that the targets name: those of releases, and those with the list key.
func (spec TargetsSpec) All() []File { return slices.Concat(spec.Files, spec.Keys) }

// KeyFile returns the file with the list key for the subscribers of a kind.
func (spec TargetsSpec) KeyFile(kind string) (File, bool) {
	i := slices.IndexFunc(spec.Keys, func(f File) bool { return f.kind() == kind })
	if i < 0 {
		return File{}, false
	}
	return spec.Keys[i], true
}

// NewKeyFile describes a file with the list key for the subscribers of a kind.
func NewKeyFile(kind string, length int64, sum []byte) File {
	return File{Path: keyPath(kind), Length: length, SHA256: sum}
}

// readKey reads of which list key the targets are.
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

// takeKey adds a file with the encrypted list key, whose target has only length and hash.
func (spec *TargetsSpec) takeKey(f File, t tuf.Target) error {
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

// readConfidential reads whether a list is confidential.
func readConfidential(fields map[string]any) (bool, error) {
	value, ok := fields[fieldConfidential]
	if yes, _ := value.(bool); ok && !yes {
		return false, tuf.Malformed("root", "%s is true, or left out", fieldConfidential)
	}
	return ok, nil
}

// checkConfidential compares what root and targets say about it: no one may take an encrypted list and serve it in the
// clear.
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
