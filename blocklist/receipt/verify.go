package receipt

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Open verifies and parses a receipt, and returns the name of the key's holder. The receipt must have exactly one
// signature, of a known key. Open fails with [blocklist.ErrUntrusted], [blocklist.ErrMalformed] or
// [blocklist.ErrTooLarge].
func Open(b []byte, known note.Verifiers) (r Receipt, holder string, err error) {
	if len(b) > MaxReceipt {
		return r, "", fmt.Errorf("receipt: %w: %d bytes, the limit is %d", blocklist.ErrTooLarge, len(b), MaxReceipt)
	}
	n, err := note.Open(b, known)
	if by := (*note.UnverifiedNoteError)(nil); errors.As(err, &by) {
		return r, "", fmt.Errorf("receipt: %w: it is signed by no key that is known here, but by %s", blocklist.ErrUntrusted,
			signers(by.Note))
	}
	if bad := (*note.InvalidSignatureError)(nil); errors.As(err, &bad) {
		return r, "", fmt.Errorf("receipt: %w: the signature of %q is not valid", blocklist.ErrUntrusted, bad.Name)
	}
	if err != nil {
		return r, "", malformed("%s", utf8text.Plain(err.Error()))
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) > 0 {
		return r, "", malformed("it has more than one signature")
	}
	r, err = parse(n.Text)
	return r, n.Sigs[0].Name, err
}

// signers returns the names in the signatures of a note, for errors.
func signers(n *note.Note) string {
	var names []string
	for _, s := range n.UnverifiedSigs {
		names = append(names, fmt.Sprintf("%.64q", s.Name))
	}
	return strings.Join(names, ", ")
}

// parse parses the text of a receipt. It accepts only the canonical form, which [Receipt.Sign] writes.
func parse(text string) (r Receipt, err error) {
	var received, enforced string
	a := &r.Asked
	_, err = fmt.Sscanf(text, Format+"\nlist: %s\nserial: %d\ndigest: %s\nreceived: %s\nenforced: %s\nprobe: test=%d gone=%d added=%d removed=%d\n",
		&r.List, &r.Serial, &r.Digest, &received, &enforced, &a.Test, &a.Gone, &a.Added, &a.Removed)
	if err == nil {
		r.Received, err = time.Parse(time.RFC3339, received)
	}
	if err == nil {
		r.Enforced, err = time.Parse(time.RFC3339, enforced)
	}
	if err != nil {
		return r, malformed("%s", utf8text.Plain(err.Error()))
	}
	if r.text() != text {
		return r, malformed("it is not written as it must be")
	}
	return r, r.check()
}
