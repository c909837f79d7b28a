package config

import (
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/dnstap"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Settings are the settings of dnsfilter.yaml. Relative paths are relative to the folder of the file.
type Settings struct {
	File     string              // path of the settings file; empty: none
	Included []string            // paths of the files that it includes
	Listen   []string            // addresses in the form of ParseListen; default udp and tcp at 127.0.0.1:5353
	Upstream []upstream.Endpoint // resolvers; default: the system's
	// folder of the store; default: $STATE_DIRECTORY, else argine/dnsfilter in the user's state folder; empty if
	// neither is known
	State   string
	Cache   int64              // cache size in bytes; default DefaultCache, 0: no cache
	Lists   []List             // in order: the first that blocks a name decides
	Allow   []string           // files of names that are never blocked
	Quorums []dnsfilter.Quorum // quorums of lists; their lists without an action act in quorums only
	Views   []View             // groups of clients with other lists or actions
	Clients []netip.Prefix     // networks of served clients; default DefaultClients
	// special-use zones that the server answers itself; default: all of SpecialZones; see discovery for resolver.arpa
	Local []string
	// zones that other resolvers answer, also instead of a special-use zone
	Forward  []ForwardZone
	Stale    dnsfilter.Stale    // how long expired answers are used; default: 24 hours
	BlockTTL uint32             // of blocked answers, in seconds, for lists without a TTL of their own; 0: 30
	ServerID dnsfilter.ServerID // what the server says about itself; default: nothing
	Records  string             // file of local data, a zone file; empty: none
	// names by which programs find out whether they may use another resolver, with the action NXDomain or NoData
	Canaries map[blocklist.Name]dnsfilter.Action
	Metrics  netip.AddrPort // HTTP address of /metrics, /healthz and /readyz; zero: none
	// StructuredErrors is the same as in Policy.
	StructuredErrors uint16
	Guard            GuardLimits // limits that suspend an update of a list

	RateLimit     dnsfilter.RateLimit // of queries over UDP; default: none
	Pprof         netip.AddrPort      // HTTP address of profiles, loopback only; zero: none
	CookieSecrets string              // file, see ReadCookieSecrets; default: a random secret per start

	Certificate Certificate    // of the listen addresses with tls, https and quic; zero: none
	Proxies     []netip.Prefix // networks whose connections and datagrams begin with a PROXY header
	StopPage    StopPage       // web server for the sinkhole addresses; default: none

	Dnstap   dnstap.Target // where messages go; zero: nowhere
	QueryLog QueryLog      // default: none

	Web netip.AddrPort // HTTP address of the operator's page; zero: none

	includes []include

	PolicyZones []PolicyZone // policy zones (RPZ) that other resolvers copy
	ZoneFiles   ZoneFiles    // HTTP address of zone files of the policy zones; zero: none

	fileAt map[string]position // positions of file names
	given  map[string]bool     // keys that the file sets
	values map[string]string   // their values, as textOf returns them
}

// Default returns the settings of a file that sets nothing.
func Default() *Settings {
	s := &Settings{Cache: dnsfilter.DefaultCache}
	s.setDefaults()
	return s
}

// setDefaults sets the default of each key that the file does not set.
func (s *Settings) setDefaults() {
	if len(s.Listen) == 0 {
		s.Listen = []string{"udp://127.0.0.1:5353", "tcp://127.0.0.1:5353"}
	}
	if s.Local == nil {
		s.Local = dnsfilter.SpecialZones()
	}
	if s.State == "" {
		s.State = defaultState()
	}
}

// OwnFiles returns the paths of the settings file, the included files, the cookie secrets, the local data, the TSIG
// keys and the files of the guard.
func (s *Settings) OwnFiles() []string {
	files := slices.Concat(s.Guard.Files(), s.Included, s.keyFiles())
	for _, path := range []string{s.File, s.CookieSecrets, s.Records} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}
