package trust

import (
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Signatures lists the officers who have signed a document, and those who have not. Each public key counts once.
type Signatures struct {
	Threshold int
	Signed    []notekey.Key // officers who have signed
	Missing   []notekey.Key // officers who have not signed
}

// Enough reports whether the threshold of officers has signed.
func (s Signatures) Enough() bool { return s.Threshold > 0 && len(s.Signed) >= s.Threshold }

// Err returns nil if the threshold is reached. Otherwise it returns an error that lists the missing officers and wraps
// [blocklist.ErrSignatures]. The argument what is the document's name in the error.
func (s Signatures) Err(what string) error {
	if s.Enough() {
		return nil
	}
	return fmt.Errorf("%s: %w: %d of %d signatures; %d more needed, of %s", what, blocklist.ErrSignatures,
		len(s.Signed), s.Threshold, s.Threshold-len(s.Signed), names(s.Missing))
}

func names(keys []notekey.Key) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Name)
	}
	return strings.Join(all, ", ")
}

// CheckSignatures returns which officers of the root have signed a root or targets document.
func CheckSignatures(root *Root, doc []byte) (Signatures, error) {
	d, err := tuf.ParseAny(doc)
	if err != nil {
		return Signatures{Threshold: root.spec.Threshold}, err
	}
	return root.count(d), nil
}

// count verifies the officers' signatures on a document, and returns which officers have signed. ParseRoot has checked
// that the officers' keys are distinct.
func (r *Root) count(d *tuf.Document) Signatures {
	s := Signatures{Threshold: r.spec.Threshold}
	for _, k := range r.spec.Officers {
		if d.SignedBy(k.Public) {
			s.Signed = append(s.Signed, k)
		} else {
			s.Missing = append(s.Missing, k)
		}
	}
	return s
}

// checkEnough returns an error unless enough officers have signed a root or targets document. The argument what is the
// document's name in errors.
func (r *Root) checkEnough(what string, d *tuf.Document) error {
	_, err := r.enough(what, d)
	return err
}

// enough is like checkEnough, and also returns which officers have signed.
func (r *Root) enough(what string, d *tuf.Document) (Signatures, error) {
	if !d.Canonical() {
		return Signatures{}, fmt.Errorf("%s: %w: its signed part is not written in the form in which it is read", what,
			blocklist.ErrUntrusted)
	}
	s := r.count(d)
	return s, s.Err(what)
}
