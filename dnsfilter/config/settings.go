package config

import (
	"net/netip"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Settings are what dnsfilter.yaml says. Paths in it are relative to the folder of the file.
type Settings struct {
	File     string              // where they were read; empty if nowhere
	Listen   []string            // addresses as ParseListen reads them; default udp and tcp at 127.0.0.1:5353
	Upstream []upstream.Endpoint // resolvers; default: the system's
	// folder of the store; default: $STATE_DIRECTORY, else argine/dnsfilter in the user's folder for states; empty if
	// neither is known
	State   string
	Cache   int64              // bytes of answers to keep; default DefaultCache, 0 is none
	Lists   []List             // in order: the first that blocks a name decides
	Allow   []string           // files of names that are never blocked
	Quorums []dnsfilter.Quorum // what several lists agree on; lists without an action of their own act in a quorum only
	Views   []View             // clients for whom other lists apply, or the same ones otherwise
	Clients []netip.Prefix     // networks that are served; default DefaultClients
	// of SpecialZones those that are answered without the upstream; default all; see discovery for resolver.arpa
	Local   []string
	Metrics netip.AddrPort // where /metrics, /healthz and /readyz are served over HTTP; zero: nowhere
	// StructuredErrors is as in Policy.
	StructuredErrors uint16
	Guard            GuardLimits // holds updates of lists that would block too much, or suddenly too little

	RateLimit     dnsfilter.RateLimit // of queries over UDP; default: none
	Pprof         netip.AddrPort      // where profiles are served over HTTP, at a loopback address; zero: nowhere
	CookieSecrets string              // file, see ReadCookieSecrets; default: this server's own, new at each start

	fileAt map[string]position // where files are named
	given  map[string]bool     // the keys that the file has
}

// Default are those of a file that sets nothing.
func Default() *Settings {
	s := &Settings{Cache: dnsfilter.DefaultCache}
	s.setDefaults()
	return s
}

// setDefaults fills in what was not given.
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

// OwnFiles returns the settings file, and those that belong to it.
func (s *Settings) OwnFiles() []string {
	files := s.Guard.Files()
	for _, path := range []string{s.File, s.CookieSecrets} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}
