package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Subscriber is a subscriber to a confidential list. The list is encrypted to the subscriber's key.
type Subscriber struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`      // kind of the recipient: hybrid or x25519
	Recipient string `json:"recipient"` // the subscriber's age recipient, a public key: age1...
	// Fingerprint is the fingerprint of the recipient, see [Fingerprint].
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Author      string    `json:"author"`           // who added the subscriber
	Reason      string    `json:"reason,omitempty"` // why the subscriber was added
}

// ErrSubscribed is returned if a subscriber with this name or this recipient already exists.
var ErrSubscribed = errors.New("a subscriber already")

// ErrNoSubscriber is returned if no subscriber has the given name.
var ErrNoSubscriber = errors.New("not a subscriber of the list")

// AddSubscriber adds a subscriber to a confidential list. The name has 1 to 64 octets and no spaces. Recipient is the
// text of an age recipient, X25519 or hybrid. The subscriber can read the list from the next release on, which contains
// the list key encrypted to each subscriber. AddSubscriber fails with [ErrSubscribed] if the name or the recipient is
// in use.
func (l *Ledger) AddSubscriber(ctx context.Context, name, recipient string, c Audit) error {
	to, err := trust.ParseRecipient(recipient)
	if err != nil {
		return err
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name,
		func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return fmt.Errorf("subscriber %.80q: %w: a name of 1 to 64 octets without spaces is needed", name,
			blocklist.ErrMalformed)
	}
	return l.changeSubscriber(ctx, KindSubscribe, c, func(all []Subscriber) (Subscriber, error) {
		for _, s := range all {
			if s.Name == name || s.Recipient == to.String() {
				return s, fmt.Errorf("adding subscriber %s: %w: %s has this name or this recipient", name, ErrSubscribed, s.Name)
			}
		}
		if len(all) >= trust.MaxSubscribers {
			return Subscriber{}, fmt.Errorf("adding subscriber %s: %w: there are %d", name, blocklist.ErrTooLarge, len(all))
		}
		return Subscriber{Name: name, Recipient: to.String()}, nil
	})
}

// RemoveSubscriber removes a subscriber. The next release has a new list key. Earlier releases stay readable for those
// who have the old key. It fails with [ErrNoSubscriber] if no subscriber has this name.
func (l *Ledger) RemoveSubscriber(ctx context.Context, name string, c Audit) error {
	return l.changeSubscriber(ctx, KindUnsubscribe, c, func(all []Subscriber) (Subscriber, error) {
		i := slices.IndexFunc(all, func(s Subscriber) bool { return s.Name == name })
		if i < 0 {
			return Subscriber{}, fmt.Errorf("removing %.80q: %w", name, ErrNoSubscriber)
		}
		return all[i], nil
	})
}

// changeSubscriber records an operation of KindSubscribe or KindUnsubscribe. The function choose gets the present
// subscribers, and returns the one to be added or removed.
func (l *Ledger) changeSubscriber(ctx context.Context, kind string, c Audit,
	choose func([]Subscriber) (Subscriber, error),
) error {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	root, err := l.root()
	if err != nil {
		return err
	}
	if !root.Spec().Confidential {
		return fmt.Errorf("subscribers of %s: %w: the list is not confidential, anybody may have it; blocklist root --confidential makes it so", l.list, blocklist.ErrUntrusted)
	}
	all, err := l.Subscribers(ctx)
	if err != nil {
		return err
	}
	s, err := choose(all)
	if err != nil {
		return err
	}
	c.Reference = s.Name + " " + s.Recipient
	return l.history.Record(ctx, kind, c, nil)
}

// Subscribers returns the subscribers to a confidential list, in the order in which they were added.
func (l *Ledger) Subscribers(ctx context.Context) ([]Subscriber, error) {
	return replaySubscribers(l.history.Operations(ctx, ledger.Range{Kinds: subscriberKinds()}))
}

func subscriberKinds() []string { return []string{KindSubscribe, KindUnsubscribe} }

// subscribersAt returns the subscribers after the operation with the hash head. It returns none if there is no such
// operation.
func (l *Ledger) subscribersAt(ctx context.Context, head string) ([]Subscriber, error) {
	o, err := l.signedHead(ctx, head)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return replaySubscribers(l.history.Operations(ctx, ledger.Range{UpTo: o.ID, Kinds: subscriberKinds()}))
}

// replaySubscribers returns the subscribers after these operations. It ignores the second addition of a subscriber,
// which a recovery records.
func replaySubscribers(operations iter.Seq2[Operation, error]) (all []Subscriber, err error) {
	for o, err := range operations {
		if err != nil {
			return nil, err
		}
		name, text, _ := strings.Cut(o.Reference, " ")
		same := func(s Subscriber) bool { return s.Name == name }
		if o.Kind == KindUnsubscribe {
			all = slices.DeleteFunc(all, same)
			continue
		}
		if slices.ContainsFunc(all, same) {
			continue
		}
		to, err := trust.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w: %w", o.ID, blocklist.ErrDamaged, err)
		}
		all = append(all, Subscriber{
			Name: name, Kind: to.Kind, Recipient: text, Fingerprint: recipientFingerprint(to), Added: o.Time,
			Author: o.Author, Reason: o.Reason,
		})
	}
	return all, nil
}

// subscribersChanged reports whether a subscriber was added or removed since the last release. If a recovery has
// adopted that release, this is not known, and the result is true for a confidential list.
func (l *Ledger) subscribersChanged(ctx context.Context, last ReleaseRecord) (changed bool, err error) {
	root, err := l.root()
	if err != nil {
		return false, err
	}
	if last.Serial > 0 && root.Spec().Confidential {
		if changed, err = l.unknownHead(ctx, last); changed || err != nil {
			return changed, err
		}
	}
	return l.history.Happened(ctx, ledger.Range{After: last.Operation, Kinds: subscriberKinds()})
}

// recipients returns the recipients of this kind among the subscribers.
func recipients(all []Subscriber, kind string) (to []trust.Recipient) {
	for _, s := range all {
		if s.Kind != kind {
			continue
		}
		if r, err := trust.ParseRecipient(s.Recipient); err == nil { // replaySubscribers has already parsed it
			to = append(to, r)
		}
	}
	return to
}
