package service

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/stoppage"
)

// outageLimit is how long all resolvers must be down before the server is not ready. It is longer than the restart of a
// resolver takes.
const outageLimit = 5 * time.Second

// running has the state that the status, the health checks, the metrics, the receipts and the control socket read. Only
// [Service] changes it.
type running struct {
	log    *slog.Logger
	store  *blocklist.Store
	server *dnsfilter.Server
	local  *localLists

	zoneLists *zoneLists

	active  atomic.Pointer[activeConfig]
	refused atomic.Pointer[error] // why the settings file on disk is not in force; nil: it is in force
	started time.Time
	// atStart has the settings read at the start. The keys of [config.Settings.Fixed] stay in force until the service
	// ends.
	atStart *config.Settings

	outageLimit time.Duration

	certificate certificate
	stopPage    *stoppage.Server // stop page; it has no sockets if the settings have no stop page

	logs logs

	listening []net.Addr      // listen addresses; set when Run has opened its sockets
	inodes    map[string]bool // inode numbers of the UDP sockets, see kernelDrops

	applying sync.Mutex // locked while a bundle is applied
}

// activeConfig has the settings in force, and the objects created from them.
type activeConfig struct {
	settings      *config.Settings
	subscriptions map[string]*subscription
	guards        guards
	zones         policyZones
	fetched       fetchedLists
}

// settingsError returns an error if some or all settings of the file on disk are not in force. Otherwise it returns
// nil.
func (s *running) settingsError() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	if keys := s.needRestart(); len(keys) > 0 {
		return fmt.Errorf("needs a restart: %s", strings.Join(keys, ", "))
	}
	return nil
}

// needRestart returns the keys of the settings that have changed since the start, but only come into force at the next
// start.
func (s *running) needRestart() []string { return s.atStart.Fixed(s.active.Load().settings) }
