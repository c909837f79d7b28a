package subscribe

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// urgentToEnforce returns the urgent entries to enforce with a trust state, and the state to save in the same step.
// The returned state has new first-seen times. If the guards, with their current settings, hold the entries, it
// instead marks the urgent document as refused.
func (s *Subscription) urgentToEnforce(t trustState) ([]blocklist.Entry, trustState) {
	entries, seen, err := t.limitUrgent(time.Now())
	if err != nil {
		return nil, t // the newest root no longer allows them
	}
	if err := s.c.Guard.Hold(entries); err != nil {
		s.logRefusedUrgent(context.Background(), t.Metadata.Urgent.Bytes(), err)
		t.Metadata = t.Metadata.RefuseUrgent(*t.Metadata.Urgent)
		return nil, t
	}
	t.FirstSeen = seen
	return entries, t
}

// UrgentEntries returns the entries of the enforced urgent orders, each with its expiry. Expired entries are omitted.
func (s *Subscription) UrgentEntries() []blocklist.Entry {
	s.lockNow()
	defer s.refreshing.Unlock()
	entries, _, err := s.held.limitUrgent(time.Now())
	if err != nil {
		return nil // the newest root has ended them
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e blocklist.Entry) bool { return !time.Now().Before(e.Expires) })
}

// recheckUrgent ends the current urgent orders if the guards, with their current settings, hold them.
func (s *Subscription) recheckUrgent() error {
	if _, next := s.urgentToEnforce(s.held); !next.Metadata.Equal(s.held.Metadata) {
		return s.save(next)
	}
	return nil
}

// fetchUrgent fetches the urgent document that the snapshot references and adds it to the new trust state. It fails if
// the document can't be fetched.
func (s *Subscription) fetchUrgent(ctx context.Context, o *fetch.Origin, u *trust.Updater, next *trustState) error {
	want, ok := u.Urgent()
	if !ok {
		return nil
	}
	b, err := fetchDocument(ctx, o, want, s.newestMetadata().Urgent.Bytes())
	if err == nil && !want.Is(b) {
		err = fmt.Errorf("%w: they are not those that the snapshot names", blocklist.ErrUntrusted)
	}
	if err != nil {
		return fmt.Errorf("urgent orders: %w", err)
	}
	s.acceptUrgent(ctx, b, next, u.AcceptUrgent)
	return nil
}

// acceptBundledUrgent verifies the urgent document of a bundle and adds it to the new trust state, like acceptUrgent.
func (s *Subscription) acceptBundledUrgent(ctx context.Context, b []byte, next *trustState) {
	if len(b) == 0 || bytes.Equal(b, next.Metadata.Urgent.Bytes()) {
		return
	}
	s.acceptUrgent(ctx, b, next, func(b []byte) (trust.UrgentSpec, trust.Metadata, error) {
		spec, err := trust.ParseUrgent(b)
		if err != nil {
			return spec, next.Metadata, err
		}
		return next.Metadata.AcceptUrgent(s.root, spec)
	})
}

// verifyUrgent verifies an urgent document. It returns the decrypted orders, and the metadata that includes them.
type verifyUrgent func([]byte) (trust.UrgentSpec, trust.Metadata, error)

// acceptUrgent adds an urgent document to the new trust state. If the document violates a rule, it is refused and
// logged, and used only for rollback checks. That is not an error, since one officer must not be able to keep a release
// from subscribers.
func (s *Subscription) acceptUrgent(ctx context.Context, b []byte, next *trustState, verify verifyUrgent) {
	accepted := *next
	spec, metadata, err := verify(b)
	accepted.Metadata = metadata
	if err == nil {
		if err = s.checkUrgent(spec, &accepted); err != nil {
			accepted.Metadata = next.Metadata.RefuseUrgent(spec)
		}
	}
	if err != nil && next.affects(b) {
		s.logRefusedUrgent(ctx, b, err)
	}
	*next = accepted
}

// checkUrgent returns an error if the guards hold urgent orders, or if the orders exceed the limits of the root. The
// agency can't override these guards: such orders need a release, with signatures of enough officers.
func (s *Subscription) checkUrgent(spec trust.UrgentSpec, accepted *trustState) error {
	if err := s.c.Guard.Hold(spec.Entries); err != nil {
		return err
	}
	_, seen, err := accepted.limitUrgent(time.Now())
	if err == nil {
		accepted.FirstSeen = seen
	}
	return err
}

// logRefusedUrgent logs, once per document, why urgent orders are not enforced.
func (s *Subscription) logRefusedUrgent(ctx context.Context, document []byte, err error) {
	if bytes.Equal(document, s.refusedUrgent) {
		return
	}
	s.refusedUrgent = document
	s.c.Log.ErrorContext(ctx, "refusing urgent orders", slogErr(err))
}

// logUrgentChange reports whether the urgent orders differ from those in the earlier trust state, and logs the change.
func (s *Subscription) logUrgentChange(ctx context.Context, earlier trustState) bool {
	if bytes.Equal(earlier.Metadata.Urgent.Bytes(), s.held.Metadata.Urgent.Bytes()) {
		return false
	}
	info, _ := s.store.List(s.c.List)
	s.c.Log.InfoContext(ctx, "enforcing other urgent orders", slog.Int("entries", info.Urgent))
	return true
}
