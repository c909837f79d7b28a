// Package tuf verifies documents of The Update Framework (TUF,
// https://theupdateframework.github.io/specification/v1.0.31/): canonical JSON, key identifiers, ed25519 signatures,
// thresholds, the chain of roots, and the client workflow with its protection against rollback, freeze, fast-forward
// and mix-and-match. It knows nothing of lists; package trust adds the rules of Argine. Numbers in comments, such as
// 5.3, are sections of that specification.
//
// A document is parsed once, by [ParseRoot], [ParseTimestamp], [ParseSnapshot] or [ParseTargets], into a value that
// keeps the received bytes. Errors wrap the sentinels of package blocklist.
//
// The tests compare every verdict with that of go-tuf, the reference implementation.
package tuf

import (
	"fmt"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Roles of TUF, which are also the types of its documents.
const (
	RoleRoot      = "root"
	RoleTimestamp = "timestamp"
	RoleSnapshot  = "snapshot"
	RoleTargets   = "targets"
)

// Size limits of documents, in bytes.
const (
	MaxRoot      = 64 << 10
	MaxTargets   = 256 << 10
	MaxSnapshot  = 16 << 10
	MaxTimestamp = 16 << 10
)

// SpecVersion is the TUF specification version written into new documents.
const SpecVersion = "1.0.31"

func fail(what string, sentinel error, why string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", what, sentinel, utf8text.Plain(fmt.Sprintf(why, args...)))
}

// Malformed returns an error that wraps [blocklist.ErrMalformed]. Its text is safe for logs, whatever args contain.
func Malformed(what, why string, args ...any) error {
	return fail(what, blocklist.ErrMalformed, why, args...)
}
