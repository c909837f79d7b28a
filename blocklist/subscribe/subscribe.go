// Package subscribe follows a signed list: it polls origins and mirrors, verifies the officers' signatures, and applies
// each new release to a store. If a poll fails, the last good list stays in force, the reason is in the [Status] and in
// the log, and the next poll tries again.
//
// A verified release may still be a mistake. Guards (package guard) look at each release before it is applied. A
// release that they stop is on hold until a person decides, see [Hold].
//
// Trust begins with a root that the operator has obtained out of band. After that, the store saves the newest verified
// root, together with the metadata and the list, in one durable step. The configured root is used at the first start,
// and later if it is newer than the stored root. Versions never go back (rollback), no matter which mirror answers.
//
// Freshness is judged by the local clock. A wrong clock can make a list look stale, or an old one look fresh; the list
// is enforced all the same.
//
//	sub, err := subscribe.New(store, subscribe.Config{List: "it.example/csam", Root: root, Origins: []string{"https://origin.example"}})
//	go sub.Run(ctx)              // until ctx ends
//	store.LookupHost(name)       // uses the verified list: from the first release on, and at once after a restart
//	for st := range sub.Watch(ctx) {
//		fmt.Println(st.Serial, st.Stale, st.Hold, st.Err) // the current status, and each new one
//	}
package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
	"github.com/argine-dns/argine/blocklist/internal/verified"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// maxRelease is the default of Config.MaxRelease.
const maxRelease = 1 << 30

// Config is the configuration of a subscription. List, Root and Origins are required.
type Config struct {
	List string
	Root []byte // a trusted root of the list, obtained out of band
	// Identity has age identities (AGE-SECRET-KEY-...), as the text of an identity file. It is needed only for a
	// confidential list, which the agency encrypts to them.
	Identity []byte
	// Origins are the sources of the list, tried in this order until one answers. Each is one of:
	//   - the base URL of an origin or mirror (http or https), such as https://origin.example
	//   - the path of a folder with a copy of a mirror's files
	//   - the path of a bundle; whether a path is a folder or a bundle is determined at each poll
	Origins []string
	// Interval is the time between polls, varied by up to a tenth. Zero: 30 seconds. After each failed poll the wait
	// doubles, up to four times Interval. If the first poll fails, the wait begins with one second.
	Interval time.Duration
	// Client makes the HTTP requests: its Transport and Jar are used. Nil: a client with default limits and the proxy
	// of the environment.
	Client *http.Client
	Log    *slog.Logger // nil: no log
	// PollOnly ignores the announcements of origins. Announcements are hints that something is new. Without them, the
	// subscription learns of a new release only at its next regular poll.
	PollOnly bool
	// MaxRelease is the maximum size of a compressed release, in bytes. Zero: 1 GiB.
	MaxRelease int64
	// Guard holds releases that would block too much, or suddenly too little, until a person decides; see [Hold].
	// Subscriptions may share a guard. Nil: a guard with the default limits, see [guard.Limits].
	Guard *guard.Guard
	// Receipts configures receipts to the origin; nil: no receipts.
	Receipts *Receipts
}

// Subscription keeps one list of a store up to date. It is safe for concurrent use.
type Subscription struct {
	store   *blocklist.Store
	c       Config
	list    *blocklist.SignedList
	origins []*fetch.Origin

	refreshing sync.Mutex // locked during a poll
	held       trustState // state as stored with the list; protected by refreshing
	kept       []byte     // JSON form of held; nil: nothing was loaded yet
	root       *trust.Root
	hold       *heldRelease // nil: no hold
	// refusedUrgent is the last urgent document that violated a rule. It is logged once.
	refusedUrgent []byte
	identities    trust.Identities
	keysOfOthers  map[string]bool // key files encrypted to others, by their SHA-256

	applied chan struct{} // gets a value after an update came into force

	mu     sync.Mutex
	status Status // without the fields that the method Status computes
	// freshUntil has the times until which serials count as fresh: the current serial, and a serial that is being
	// applied.
	freshUntil   map[uint64]time.Time
	changed      chan struct{} // closed and replaced when the status changes
	staleLogged  bool
	interrupt    context.CancelCauseFunc // interrupts the running poll; nil: no poll is running
	interrupting int                     // number of callers that wait for the poll to end
	warned       int64                   // version of the root whose expiry was logged
	urgent       int64                   // version of the newest urgent orders seen, enforced or not
}

// New returns a subscription. It uses no network and starts nothing. If the store's set is damaged or missing but the
// release files are intact, New restores the set, so that the list is enforced after a restart without network. New
// fails if list name, root or origins are missing, with [blocklist.ErrUntrusted] for a root that its own officers have
// not signed or that contradicts the roots trusted so far, and with [blocklist.ErrNoKey] for a confidential list
// without an identity or a stored key.
func New(store *blocklist.Store, c Config) (*Subscription, error) {
	s := &Subscription{
		store: store, c: c, applied: make(chan struct{}, 1), changed: make(chan struct{}),
		freshUntil: map[uint64]time.Time{},
	}
	if err := s.init(); err != nil {
		return nil, fmt.Errorf("subscribing to %.80q: %w", c.List, err)
	}
	return s, nil
}

func (s *Subscription) init() (err error) {
	c := &s.c
	if err := blocklist.CheckListName(c.List); err != nil {
		return err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With(slog.String("list", c.List))
	if c.Interval <= 0 {
		c.Interval = 30 * time.Second
	}
	if c.MaxRelease <= 0 {
		c.MaxRelease = maxRelease
	}
	if c.Guard == nil {
		if c.Guard, err = guard.New(guard.Limits{}); err != nil {
			return err
		}
	}
	s.keysOfOthers = map[string]bool{}
	if len(c.Identity) > 0 {
		if s.identities, err = trust.ParseIdentities(c.Identity); err != nil {
			return err
		}
	}
	if err := c.Receipts.check(); err != nil {
		return err
	}
	if s.origins, err = fetch.Origins(c.List, c.Origins, c.Client); err != nil {
		return err
	}
	if s.list, err = s.store.Signed(verified.Token{}, c.List); err != nil {
		return err
	}
	if err := s.chooseRoot(); err != nil {
		return err
	}
	if err := s.recheckUrgent(); err != nil {
		c.Log.Error("ending urgent orders that the guards refuse", slogErr(err))
	}
	if s.status.Err = s.restore(); s.status.Err != nil {
		c.Log.Error("restoring the list; the next poll fetches it", slogErr(s.status.Err))
	}
	s.updateStatus()
	s.countEquivocations()
	return nil
}

// ReadRoot returns the name of the list that a root is for, and reports whether the list is confidential. It does not
// verify the root: [New] does that.
func ReadRoot(root []byte) (list string, confidential bool, err error) {
	text, err := utf8text.Decode(root)
	if err != nil {
		return "", false, fmt.Errorf("reading the root: %w", err)
	}
	r, err := trust.ParseRoot(text)
	if err != nil {
		return "", false, fmt.Errorf("reading the root: %w", err)
	}
	return r.Spec().List, r.Spec().Confidential, nil
}

// chooseRoot makes the newer of the configured root and the stored root the newest root.
func (s *Subscription) chooseRoot() error {
	text, err := utf8text.Decode(s.c.Root)
	if err != nil {
		return fmt.Errorf("the configured root: %w", err)
	}
	pin, err := openRoot(text)
	if err != nil {
		return fmt.Errorf("the configured root: %w", err)
	}
	if pin.Spec().List != s.c.List {
		return fmt.Errorf("the configured root: %w: it is of list %q", blocklist.ErrUntrusted, pin.Spec().List)
	}
	s.root, s.held = pin, trustState{}.withRoot(pin)
	if err := s.reload(); err != nil {
		s.c.Log.Error("reading what was kept of the list, starting from the configured root", slogErr(err))
	}
	if s.root.Spec().Confidential && len(s.identities) == 0 && s.newestMetadata().Targets == nil {
		return errNoIdentity
	}
	if s.held.Roots[pin.Version()] != pin.ID() && s.held.Roots[pin.Version()] != "" {
		return fmt.Errorf("the configured root %d: %w: it is not the root %d that was followed so far; to start again, remove %s",
			pin.Version(), blocklist.ErrUntrusted, pin.Version(), s.list.Dir())
	}
	return nil
}

// reload loads the stored state. The state may be from before a restart, or from another subscription to the same list,
// which has ended. It keeps the newer of the stored root and the current one. This is safe, since both were verified.
func (s *Subscription) reload() error { return errors.Join(s.reloadHeld(), s.readHold()) }

func (s *Subscription) reloadHeld() error {
	kept := s.list.Metadata()
	if bytes.Equal(kept, s.kept) {
		return nil
	}
	held, err := readTrustState(kept)
	if err != nil {
		return err
	}
	switch root := held.Root; {
	case root == nil:
		return nil
	case root.Version() < s.root.Version():
		held = held.withRoot(s.root)
	default:
		s.root = root
	}
	s.held, s.kept = held, kept
	return nil
}

// restore restores a damaged or missing set from the release files.
func (s *Subscription) restore() error {
	if err := disk.RemoveTemps(s.list.Dir()); err != nil {
		return err
	}
	spec, err := s.held.targets()
	if err != nil || s.enforces(spec) {
		return nil //nolint:nilerr // there was no release yet
	}
	s.c.Log.Warn("restoring the list from its release", slog.Int64("serial", spec.Version))
	if len(s.held.Kept) == 0 {
		return fmt.Errorf("restoring serial %d: nothing is kept to restore it from", spec.Version)
	}
	return s.applyKept(context.Background(), s.held.Kept, s.held)
}

// Entries yields the current list in the order of a release, from the release files, whose hashes it checks first. The
// last value may be an error: [blocklist.ErrUntrusted] for a changed file, or an error of [io/fs] for a missing one,
// perhaps because a newer release arrived in the meantime.
func (s *Subscription) Entries() iter.Seq2[blocklist.Entry, error] {
	s.lockNow()
	path := s.held.Kept
	s.refreshing.Unlock()
	return func(yield func(blocklist.Entry, error) bool) {
		if len(path) == 0 {
			yield(blocklist.Entry{}, fmt.Errorf("reading %s: nothing is held yet", s.c.List))
			return
		}
		trust.Entries(path, s.openKept)(yield)
	}
}

// Changes yields the net changes of the current list since an earlier serial, in the order of a delta. It reads them
// from the release files, and returns false if these do not include the given serial. The last value may be an error,
// as for [Subscription.Entries].
func (s *Subscription) Changes(since uint64) (iter.Seq2[blocklist.Change, error], bool) {
	s.lockNow()
	defer s.refreshing.Unlock()
	at := s.held.keptIndex(since)
	if at < 0 {
		return nil, false
	}
	return trust.NetChanges(nil, s.held.Kept[at+1:], s.openKept), true
}

// signedInForce returns the signed description of the current release, and the files from which it was built. The
// digest of a confidential list is masked. It returns false if there is no release.
func (s *Subscription) signedInForce() (signed trust.Release, kept []trust.File, ok bool) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	held, err := s.held.targets()
	if err != nil || !s.enforces(held) || len(s.held.Kept) == 0 {
		return signed, nil, false
	}
	return s.held.Metadata.Targets.Newest(), s.held.Kept, true
}

func slogErr(err error) slog.Attr { return slog.Any("error", err) }
