package tuf

import (
	"github.com/argine-dns/argine/blocklist"
)

// Root is a root (4.3): the keys and thresholds of all roles.
type Root struct {
	Document
	RootFields
}

// ParseRoot reads a root: what it says, not who signed it.
func ParseRoot(b []byte) (*Root, error) {
	d, signed, err := parse[RootFields]("root", RoleRoot, b, MaxRoot)
	return &Root{d, signed.Known}, err
}

// VerifyNext checks the root that follows (5.3): the version is the next one, and enough keys of this root and enough
// of the next one have signed it. Expiry is checked of the last root alone. It fails with [blocklist.ErrUntrusted] or
// [blocklist.ErrRollback].
func (r *Root) VerifyNext(next *Root) error {
	if err := r.Verify(&next.Document); err != nil {
		return err
	}
	if next.Version != r.Version+1 {
		return fail("root", blocklist.ErrRollback, "version %d does not follow %d", next.Version, r.Version)
	}
	return next.Verify(&next.Document)
}
