package tuf

import (
	"github.com/argine-dns/argine/blocklist"
)

// Root is a root document (4.3): the keys and thresholds of all roles.
type Root struct {
	Document
	RootFields
}

//nolint:gochecknoglobals // what is in it is constant
var roots parsed[Root]

// ParseRoot parses a root. It does not verify signatures. Calls with the same bytes may return the same pointer, so
// callers must not change the root.
func ParseRoot(b []byte) (*Root, error) {
	if err := checkSize("root", b, MaxRoot); err != nil {
		return &Root{}, err
	}
	return roots.get(b, func(b []byte) (*Root, error) {
		d, signed, err := parse[RootFields]("root", RoleRoot, b, MaxRoot)
		return &Root{d, signed.Known}, err
	})
}

// VerifyNext verifies the successor of this root (5.3): its version is the next number, and both enough keys of this
// root and enough of its own keys have signed it. It does not check expiry, which matters only for the last root. It
// fails with [blocklist.ErrUntrusted] or [blocklist.ErrRollback].
func (r *Root) VerifyNext(next *Root) error {
	if err := r.Verify(&next.Document); err != nil {
		return err
	}
	if next.Version != r.Version+1 {
		return fail("root", blocklist.ErrRollback, "version %d does not follow %d", next.Version, r.Version)
	}
	return next.Verify(&next.Document)
}
