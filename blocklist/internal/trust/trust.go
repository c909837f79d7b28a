// Package trust has the rules of The Update Framework as Argine uses it, in the one place that the agency, the origin and
// the subscriber share: who may sign what, what a signature covers, and in which order things are believed.
//
// The root names a list's officers and their threshold, and the origin's online key. Officers sign the root and the
// targets: the releases that make up the list. The online key signs snapshot and timestamp, which only say which targets
// are the newest. Documents are kept and passed on as the bytes that were received; nothing is written anew after signing.
//
// Signatures, canonical JSON and the client's order of checks come from go-tuf. Around it stand the rules that go-tuf
// leaves to its callers: limits, one reading of every document, thresholds counted over distinct public keys, and the
// list's name in everything that is signed. Errors wrap the sentinels of package blocklist.
package trust

import (
	"errors"
	"fmt"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Limits on documents, in bytes, and on what they hold.
const (
	MaxRoot      = 64 << 10
	MaxTargets   = 256 << 10
	MaxSnapshot  = 16 << 10
	MaxTimestamp = 16 << 10
	MaxOfficers  = 64
	MaxFiles     = 64 // in targets
	MaxRoots     = 1024
	MaxAllRoots  = 4 << 20 // of all roots in a bundle together
)

// Fields that we add to the documents of The Update Framework.
const (
	fieldList = "x-argine-list" // signed part of root and targets: the list's name
	fieldName = "x-argine-name" // key: who holds it
	fieldRoot = "x-argine-root" // signed part of the timestamp: the newest root that was published with it
)

// classify says in the words of package blocklist what go-tuf found wrong with a document.
func classify(what string, err error) error {
	if err == nil {
		return nil
	}
	sentinel := blocklist.ErrUntrusted
	switch {
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		sentinel = blocklist.ErrExpired
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		sentinel = blocklist.ErrRollback
	}
	return fmt.Errorf("%s: %w: %s", what, sentinel, utf8text.Plain(strings.ToLower(err.Error())))
}

func malformed(what, why string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", what, blocklist.ErrMalformed, utf8text.Plain(fmt.Sprintf(why, args...)))
}
