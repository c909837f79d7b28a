package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Discard drops the pending release p, which [Ledger.Pending] has returned, with all signatures on it. Unlike
// [Ledger.Refuse] it needs no officer's key: the people who make releases may take one back before it is pushed. The
// ledger records the author and the reason in c, which is required. The entries stay the same, and decisions of
// [Ledger.Override] and [Ledger.EndUrgent] are cancelled, as by a refusal. If an officer has signed p, its serial is
// not used again, see [Skipped].
//
// Discard fails if p was sent to an origin that has not answered, because it may be public. It fails with
// [blocklist.ErrMalformed] for a root or urgent orders, see [Ledger.Refuse] and [Ledger.CancelUrgent].
func (l *Ledger) Discard(ctx context.Context, p *Pending, c Audit) error {
	if err := p.checkRelease(); err != nil {
		return err
	}
	if c.Reason == "" {
		return fmt.Errorf("discarding %s: %w: a reason is needed", p.What(), blocklist.ErrMalformed)
	}
	id, err := p.ID()
	if err != nil {
		return err
	}
	c.Reason, c.Reference = because(p.What(), c.Reason), id
	if err := l.drop(ctx, p, dropping{KindDiscard, id, skippedDiscarded.Phrase, c}); err != nil {
		return fmt.Errorf("discarding %s: %w", p.What(), err)
	}
	return nil
}

// DroppedError is returned for a signature or a request of a document that was refused or discarded.
type DroppedError struct {
	What string    // name of the document, see [Pending.What]
	By   Operation // operation of [KindRefuse] or [KindDiscard]
	Err  error     // why the signature or the request does not fit what is pending
}

// Why returns the reason that was given.
func (e *DroppedError) Why() string { return CauseOf(e.By).Reason }

func (e *DroppedError) Error() string {
	verb := map[string]string{KindRefuse: "refused", KindDiscard: "discarded"}[e.By.Kind]
	at := e.By.Time.UTC().Format(time.RFC3339)
	return fmt.Sprintf("%s was %s by %s on %s: %s", e.What, verb, e.By.Author, at, e.Why())
}

// Unwrap returns the error about the signature or the request.
func (e *DroppedError) Unwrap() error { return e.Err }

// WhyDropped returns a [*DroppedError] that wraps err if the document with this name, see [Pending.What], was refused
// or discarded. Otherwise it returns err.
func (l *Ledger) WhyDropped(ctx context.Context, what string, err error) error {
	dropped := &DroppedError{What: what, Err: err}
	kinds := ledger.Range{Kinds: []string{KindRefuse, KindDiscard}}
	for o, readErr := range l.history.Operations(ctx, kinds) {
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		if strings.HasPrefix(o.Reason, what+": ") {
			dropped.By = o
		}
	}
	if dropped.By.ID == 0 {
		return err
	}
	return dropped
}

// fitsNothing reports whether an error says that a signature is not for what is pending.
func fitsNothing(err error) bool {
	return slices.ContainsFunc([]error{ErrNothingPending, errOtherMessage, errOtherDocument},
		func(known error) bool { return errors.Is(err, known) })
}
