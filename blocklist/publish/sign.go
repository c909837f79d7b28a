package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Sign adds an officer's signature to p, a root or release that [Ledger.Pending] has returned. It returns p with the
// new signature. A root with enough signatures takes effect. Sign fails if the pending metadata has changed since p was
// read, so an officer signs only metadata that was shown to them. It also fails if a release does not follow from the
// ledger's history.
func (l *Ledger) Sign(ctx context.Context, p *Pending, officer crypto.Signer) (*Pending, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := p.checkUnchanged(); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if err := p.checkTimes(&l.history.Clock); err != nil {
		return nil, err
	}
	if err := p.CheckSigner(officer); err != nil {
		return nil, err
	}
	if p.Number > 0 {
		return nil, fmt.Errorf("signing %s: %w: Ledger.SignUrgent and Ledger.AddSignature sign urgent orders", p.What(), blocklist.ErrMalformed)
	}
	if p.IsRelease() {
		if err := l.checkHistory(ctx, p); err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
	}
	signed := *p
	if signed.metadata, err = tuf.Sign(p.metadata, officer); err != nil {
		return nil, err
	}
	if err := signed.countSignatures(); err != nil {
		return nil, err
	}
	signed.setSigner(p, officer)
	if err := disk.WriteFile(p.path, signed.metadata, disk.Inherit); err != nil {
		return nil, err
	}
	return &signed, l.activateRoot()
}

// CheckSigner fails with [blocklist.ErrUntrusted] unless the key is that of an officer who may sign p.
func (p *Pending) CheckSigner(officer crypto.Signer) error {
	if officer == nil {
		return fmt.Errorf("signing: %w: there is no key", blocklist.ErrMalformed)
	}
	if public, ok := officer.Public().(ed25519.PublicKey); ok && p.officer(public) != "" {
		return nil
	}
	return fmt.Errorf("signing: %w: the key is not that of an officer of %s; they are %s", blocklist.ErrUntrusted, p.List,
		strings.Join(p.Officers, ", "))
}

// checkUnchanged fails if the pending metadata on disk has changed since p was read.
func (p *Pending) checkUnchanged() error {
	now, err := os.ReadFile(p.path)
	if p.Number > 0 && err == nil {
		var o preparedOrders
		o, err = readPrepared(p.path)
		now = o.Document
	}
	if err != nil || string(now) != string(p.metadata) {
		return fmt.Errorf("%w: what is pending has changed meanwhile; look at it again", blocklist.ErrUntrusted)
	}
	return nil
}
