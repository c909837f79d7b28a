package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// maxBundle is the maximum size of a bundle that is sent over the control socket, in bytes.
const maxBundle = 4 << 30

// bundleFile is the name of the file in the state folder in which a bundle from the control socket is stored.
const bundleFile = "apply.tar"

// ApplyResult is the result of applying a bundle.
type ApplyResult struct {
	List string `json:"list"`
	// Changed reports whether the release of the bundle was put in force. It is false if that release was in force
	// already, or is on hold.
	Changed bool            `json:"changed"`
	Serial  uint64          `json:"serial"` // serial in force
	Entries uint64          `json:"entries"`
	Urgent  int             `json:"urgent,omitempty"` // number of urgent orders in force besides the release
	Hold    *subscribe.Hold `json:"hold,omitempty"`   // hold on the release; nil: none
}

// ApplyBundle applies the bundle at a path, with the same verification and guards as a release from the network. If a
// service runs with these settings, the service applies the bundle. Otherwise ApplyBundle applies it to the store in
// the state folder. It fails with [blocklist.ErrBusy] if another process has the store open.
func ApplyBundle(ctx context.Context, s *config.Settings, path string, log *slog.Logger) (ApplyResult, error) {
	f, err := files.Open(path)
	if err != nil {
		return ApplyResult{}, fmt.Errorf("applying a bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	a, err := NewControl(s.State).Apply(ctx, f)
	if errors.Is(err, ErrNotRunning) {
		a, err = applyHere(ctx, s, path, log)
	}
	if err != nil {
		return a, fmt.Errorf("applying %s: %w", path, err)
	}
	return a, nil
}

// applyHere applies a bundle to the store in the state folder. It is called if no service runs.
func applyHere(ctx context.Context, s *config.Settings, path string, log *slog.Logger) (a ApplyResult, err error) {
	list, err := subscribe.BundleList(path)
	if err != nil {
		return a, err
	}
	i := slices.IndexFunc(s.Lists, func(l config.List) bool { return l.Rule.List == list && l.File == "" })
	if i < 0 {
		return a, errNotFollowed(list)
	}
	c, err := s.Lists[i].Subscription(log)
	if err != nil {
		return a, err
	}
	guards, err := guards{}.next(s)
	if err != nil {
		return a, err
	}
	c.Guard = guards.of(&s.Lists[i])
	store, err := s.OpenStore()
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sub, err := subscribe.New(store, c)
	if err != nil {
		return a, err
	}
	return apply(ctx, sub, list, path)
}

func errNotFollowed(list string) error {
	return fmt.Errorf("no signed list %.80q is followed", list)
}

func apply(ctx context.Context, sub *subscribe.Subscription, list, path string) (ApplyResult, error) {
	changed, err := sub.Apply(ctx, path)
	st := sub.Status()
	return ApplyResult{
		List: list, Changed: changed, Serial: st.Serial, Entries: st.Entries, Urgent: st.Urgent,
		Hold: st.Hold,
	}, err
}

// Apply sends a bundle to the running service, which applies it; see [ApplyBundle].
func (c *Control) Apply(ctx context.Context, bundle io.Reader) (a ApplyResult, err error) {
	err = c.send(ctx, http.MethodPost, "/apply", bundle, &a)
	return a, err
}

// serveApply receives a bundle over the control socket, writes it to a file, and then applies the file.
func (s *running) serveApply(w http.ResponseWriter, r *http.Request) {
	a, err := s.takeBundle(w, r)
	if err != nil {
		refuseControl(w, err)
		return
	}
	writeControl(w, a)
}

func (s *running) takeBundle(w http.ResponseWriter, r *http.Request) (ApplyResult, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	current := s.active.Load()
	path := filepath.Join(current.settings.State, bundleFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return ApplyResult{}, err
	}
	defer os.Remove(path) //nolint:errcheck // the next bundle replaces it
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(controlTimeout))
	_, err = io.Copy(f, http.MaxBytesReader(w, r.Body, maxBundle))
	if err = errors.Join(err, f.Close()); err != nil {
		return ApplyResult{}, fmt.Errorf("taking a bundle: %w", err)
	}
	list, err := subscribe.BundleList(path)
	if err != nil {
		return ApplyResult{}, err
	}
	subscription := current.subscriptions[list]
	if subscription == nil {
		return ApplyResult{}, errNotFollowed(list)
	}
	return apply(r.Context(), subscription.sub, list, path)
}
