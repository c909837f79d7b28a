// Package desk is the web application in which an agency decides. It shows pending tasks, the list and its history; it
// tries a change before the change is made, and takes officers' signatures. It can be used at the same time as the
// commands: reading takes no lock on the agency's folder, and a change takes the lock for a moment only. Only sessions,
// one-time codes and drafts of forms are in memory, so a killed process loses nothing that was recorded.
//
// Officers' private keys never reach the desk. An officer signs on another machine and sends only the signature.
package desk

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// Options are the options of a desk. Dir, Log, and either User with Link or UserHeader with Proxies are required.
type Options struct {
	Dir string // the agency's folder
	Log *slog.Logger

	User string            // name of the account that starts a desk on loopback
	Link func(path string) // shows the account User the path of a new one-time link

	// UserHeader is the header in which a reverse proxy names the person. Only requests from Proxies are accepted.
	UserHeader string
	Proxies    []netip.Prefix
	SignOut    string // path at which the proxy ends a person's session; empty: pages have no link to sign out

	// Prepare is called with each newly opened ledger; may be nil.
	Prepare func(*publish.Ledger)
	// Notes returns possible mistakes in an entry; may be nil.
	Notes func(typed string, e blocklist.Entry) []publish.Message
	// Receipts reads the subscribers' receipts; may be nil.
	Receipts func(context.Context, *publish.Ledger) (*report.Receipts, error)

	Deadline  time.Duration // time within which subscribers must enforce a release
	Platforms takedown.Platforms
	Push      publish.Transport // sends a release to the origin; nil: the desk can't push
	PushTo    string            // name of the origin, as the ledger records it
	Program   string            // name and version of the program, for printed pages
}

// Desk is the web application. It is an [http.Handler].
type Desk struct {
	Options
	ledger     opened
	languages  languages
	assets     assets
	views      *views
	sessions   *sessions
	kept       kept
	overview   cached[*overview]
	receipts   cached[read]
	reviews    cached[*review]
	unprepared cached[*changes]
	orders     cached[[]blocklist.Entry]
	boards     cached[*board]
	texts      texts
	takedowns  cached[counted]
	codes      codes
	drafts     drafts
	busy       chan struct{} // semaphore for the pages that are being made
	handler    http.Handler
	stop       context.CancelFunc // ends [Desk.readTexts], which runs in the background
}

// ServeHTTP implements [http.Handler].
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Close stops the background goroutine that reads the texts for searches, and closes the agency's folder.
func (d *Desk) Close() error {
	d.stop()
	if err := d.ledger.close(); err != nil {
		return fmt.Errorf("closing the desk: %w", err)
	}
	return nil
}
