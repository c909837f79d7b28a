// Package desk is the web application in which an agency decides: it shows what waits, the list and its history, tries
// a change before it is made, and takes officers' signatures. It can be used at the same time as the commands: reading
// takes no lock on the agency's folder, and a change takes the lock for a moment only. Nothing but sessions and
// one-time codes is kept in memory, so a process that is killed loses no work.
//
// Officers' keys never come here. An officer signs on another machine and sends the signature alone.
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

// Options describe a desk. Dir, Log and either User with Link or UserHeader with Proxies are needed.
type Options struct {
	Dir string // the agency's folder
	Log *slog.Logger

	User string            // the account that has started a desk on loopback
	Link func(path string) // shows that account the path of a one-time link

	// UserHeader is the name of the header in which a reverse proxy names the person. It counts only in requests from
	// the Proxies, and all other requests are refused.
	UserHeader string
	Proxies    []netip.Prefix
	SignOut    string // path at which the proxy ends a person's session; empty: no page leads there

	Prepare   func(*publish.Ledger)                                            // called once for each opening of the folder; may be nil
	Notes     func(typed string, e blocklist.Entry) []publish.Message          // what may be a mistake about an entry; may be nil
	Receipts  func(context.Context, *publish.Ledger) (*report.Receipts, error) // reads the subscribers' receipts; may be nil
	Deadline  time.Duration                                                    // within which subscribers enforce a release
	Platforms takedown.Platforms
	Push      publish.Transport // sends a release to the origin; nil: only a command can
	PushTo    string            // names the origin, for the ledger
	Program   string            // name and version, for pages to print
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
	busy       chan struct{} // one place for each page that is being made
	handler    http.Handler
	stop       context.CancelFunc // ends what runs in the background
}

// ServeHTTP implements [http.Handler].
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Close closes the agency's folder.
func (d *Desk) Close() error {
	d.stop()
	if err := d.ledger.close(); err != nil {
		return fmt.Errorf("closing the desk: %w", err)
	}
	return nil
}
