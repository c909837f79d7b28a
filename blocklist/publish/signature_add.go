package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
)

// AddSignature adds the signature in a file of [Request.Sign] to the pending root, release or urgent orders. It returns
// the document with the new signature. The signature puts urgent orders in force. Adding the same signature again
// changes nothing. AddSignature fails with [blocklist.ErrUntrusted] if the signature is for another document, such as
// an earlier state of the release.
func (l *Ledger) AddSignature(ctx context.Context, signature []byte) (*Pending, error) {
	s, err := parseDetached(signature)
	if err != nil {
		return nil, err
	}
	key, err := notekey.Parse(s.Key)
	if err != nil {
		return nil, fmt.Errorf("adding a signature of %s: %w", s.what(), err)
	}
	officer := givenSignature{key.Public, s.Signature}
	var signed *Pending
	if s.Urgent > 0 {
		signed, err = l.addOrderSignature(ctx, s, officer)
	} else {
		signed, err = l.addSignature(ctx, s, officer)
	}
	if fitsNothing(err) {
		err = l.WhyDropped(ctx, s.what(), err)
	}
	switch {
	case errors.As(err, new(*DroppedError)):
		return nil, fmt.Errorf("adding a signature: %w; ask for a new request", err)
	case errors.Is(err, errOtherMessage):
		return nil, fmt.Errorf("adding a signature: %w: %s has changed since it was signed; ask for a new request", blocklist.ErrUntrusted, s.what())
	case err != nil:
		return nil, fmt.Errorf("adding a signature of %s: %w", s.what(), err)
	}
	return signed, nil
}

// addSignature adds a signature to the pending root or release.
func (l *Ledger) addSignature(ctx context.Context, s detached, officer givenSignature) (*Pending, error) {
	p, err := l.Pending()
	if errors.Is(err, ErrNothingPending) {
		return nil, fmt.Errorf("%w; it was pushed, or refused", err)
	}
	if err != nil {
		return nil, err
	}
	if !s.isOf(p) {
		return nil, fmt.Errorf("%w: %s is pending; ask for a new request", errOtherDocument, p.What())
	}
	return l.Sign(ctx, p, officer)
}
