package service

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// running is what the parts of a service share: status, health, metrics, receipts, and the control socket read it while
// [Service] runs and reloads.
type running struct {
	log     *slog.Logger
	store   *blocklist.Store
	server  *dnsfilter.Server
	local   *localLists
	active  atomic.Pointer[activeConfig]
	refused atomic.Pointer[error] // why the settings on disk are not in force; nil if they are
	started time.Time

	listening []net.Addr      // since Run has begun to listen
	inodes    map[string]bool // of the UDP sockets

	applying sync.Mutex // one bundle at a time
}

// activeConfig is the settings in force, and what was made of them.
type activeConfig struct {
	settings      *config.Settings
	subscriptions map[string]*subscription
	guards        guards
}

// settingsError says why the settings on disk are not in force; nil if they are.
func (s *running) settingsError() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	return nil
}
