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

// outageLimit is how long all resolvers must be down before the server is not ready. The restart of a single resolver
// stays below it.
const outageLimit = 5 * time.Second

// running has the state that the parts of a running service share: status, health, metrics, receipts and control socket
// read it, and [Service] changes it.
type running struct {
	log    *slog.Logger
	store  *blocklist.Store
	server *dnsfilter.Server
	local  *localLists

	zoneLists *zoneLists

	active  atomic.Pointer[activeConfig]
	refused atomic.Pointer[error] // why the settings file on disk is not in force; nil: it is in force
	started time.Time
	atStart *config.Settings // some of them stay in force until the service ends; see [config.Settings.Fixed]

	outageLimit time.Duration

	certificate certificate
	stopPage    *stoppage.Server // without sockets if the settings have none

	logs logs

	listening []net.Addr      // listen addresses; set when Run has begun to listen
	inodes    map[string]bool // inode numbers of the UDP sockets, see kernelDrops

	applying sync.Mutex // held while a bundle is applied
}

// activeConfig has the settings in force, and the objects created from them.
type activeConfig struct {
	settings      *config.Settings
	subscriptions map[string]*subscription
	guards        guards
	zones         policyZones
	fetched       fetchedLists
}

// settingsError returns why the settings file on disk is not in force, or not completely, or nil.
func (s *running) settingsError() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	if keys := s.needRestart(); len(keys) > 0 {
		return fmt.Errorf("needs a restart: %s", strings.Join(keys, ", "))
	}
	return nil
}

// needRestart returns the keys of the settings that were read last whose values are not in force before a restart.
func (s *running) needRestart() []string { return s.atStart.Fixed(s.active.Load().settings) }
