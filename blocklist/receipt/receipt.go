// Package receipt signs, verifies and evaluates receipts: signed statements of subscribers that they enforce a
// release.
//
// A receipt is a signed note (golang.org/x/mod/sumdb/note). The subscriber signs it with its own key, and only after
// its own resolver has given the right answers to test questions. A receipt proves what the subscriber has stated,
// not that the statement is true. The origin that collects receipts can't alter or forge them.
package receipt

import (
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
)

// MaxReceipt is the maximum length of a receipt, in bytes.
const MaxReceipt = 2 << 10

// Format is the first line of a receipt; the number is the version of the format.
const Format = "argine-receipt: 1"

// Receipt is a subscriber's statement that it enforces a release. Times have whole seconds.
type Receipt struct {
	List   string
	Serial uint64
	// Digest is the digest in the signed release: 64 hexadecimal digits. For a confidential list it is masked with the
	// list key.
	Digest   string
	Received time.Time // when the subscriber had downloaded and verified the release
	Enforced time.Time // when the last answer proved that the release is enforced
	Asked    Asked
}

// Asked counts the questions to the subscriber's own resolver. All of them had the expected answer.
type Asked struct {
	Test    int // number of questions for the canary of the serial, see [blocklist.CanaryName]; at least one
	Gone    int // number of questions for the canary of another serial, which is no longer listed; at least one
	Added   int // number of questions for names that the release lists
	Removed int // number of questions for names that the release no longer lists
}

// maxAsked is the maximum of each count in [Asked].
const maxAsked = 999_999

// text returns the text to be signed.
func (r Receipt) text() string {
	return fmt.Sprintf("%s\nlist: %s\nserial: %d\ndigest: %s\nreceived: %s\nenforced: %s\nprobe: test=%d gone=%d added=%d removed=%d\n",
		Format, r.List, r.Serial, r.Digest, timeText(r.Received), timeText(r.Enforced), r.Asked.Test, r.Asked.Gone,
		r.Asked.Added, r.Asked.Removed)
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// check returns an error if a field is invalid.
func (r Receipt) check() error {
	if err := blocklist.CheckListName(r.List); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if _, err := blocklist.ParseDigest(r.Digest); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	a := r.Asked
	switch {
	case r.Serial == 0 || r.Serial >= 1<<63:
		return malformed("serial %d", r.Serial)
	case a.Test < 1 || a.Gone < 1 || a.Added < 0 || a.Removed < 0 || max(a.Test, a.Gone, a.Added, a.Removed) > maxAsked:
		return malformed("the resolver was not asked for the canaries")
	case r.Enforced.Before(r.Received) || r.Received.Year() < 1970 || r.Enforced.Year() > 9999:
		return malformed("received %s, enforced %s", timeText(r.Received), timeText(r.Enforced))
	}
	return nil
}

func malformed(why string, args ...any) error {
	return fmt.Errorf("receipt: %w: %s", blocklist.ErrMalformed, fmt.Sprintf(why, args...))
}

// Sign returns the receipt with the subscriber's signature. The key must be ed25519.
func (r Receipt) Sign(key note.Signer) ([]byte, error) {
	r.Received, r.Enforced = r.Received.UTC().Truncate(time.Second), r.Enforced.UTC().Truncate(time.Second)
	if err := r.check(); err != nil {
		return nil, err
	}
	b, err := note.Sign(&note.Note{Text: r.text()}, key)
	if err != nil {
		return nil, fmt.Errorf("signing the receipt: %w", err)
	}
	return b, nil
}
