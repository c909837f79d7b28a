package service

import (
	"errors"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// FetchStatus is the state of a list that is fetched.
type FetchStatus struct {
	From    string    `json:"from,omitempty"`    // the server that answered last
	Checked time.Time `json:"checked,omitzero"`  // when a server last said what is the newest
	Changed time.Time `json:"changed,omitzero"`  // when the file was replaced last
	Expires time.Time `json:"expires,omitzero"`  // when it counts as stale, unless a server answers
	Next    time.Time `json:"next"`              // next attempt
	Stale   bool      `json:"stale,omitempty"`   // Expires has passed, and what is there is enforced all the same; or it was never fetched, and that fails
	Serial  uint32    `json:"serial,omitempty"`  // of a zone
	Foreign int       `json:"foreign,omitempty"` // records outside the zone that the last transfer left out
	Fetched uint64    `json:"fetched"`           // number of new files since the start
	Failed  uint64    `json:"failed"`            // number of failed attempts since the start
	Held    bool      `json:"held,omitempty"`    // what came would take away most of a policy zone; a reload takes it
	Error   string    `json:"error,omitempty"`   // why the last attempt failed, or why what came is held
}

// status returns the state of the list.
func (f *fetched) status() *FetchStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &FetchStatus{
		From: f.state.From, Checked: f.state.Checked, Changed: f.state.Changed, Next: f.next,
		Serial: f.state.Zone.Serial, Foreign: f.state.Foreign,
		Fetched: f.replaced, Failed: f.failed,
	}
	out.Stale = f.failures > 0
	if !f.state.Checked.IsZero() {
		out.Expires = f.expires()
		out.Stale = time.Now().After(out.Expires)
	}
	if f.err != nil {
		out.Error, out.Held = f.err.Error(), errors.Is(f.err, blocklist.ErrHeld)
	}
	return out
}

// isStale reports whether the list is stale. It may be nil.
func (f *fetched) isStale() bool { return f != nil && f.status().Stale }
