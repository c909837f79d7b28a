package config

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// readRateLimit parses the rate limit.
func (s *Settings) readRateLimit(r *reader, n *yaml.Node) {
	s.RateLimit.Slip = 2
	r.mapping(n, fields{
		"per_second": scalar(r, &s.RateLimit.PerSecond, countUpTo(dnsfilter.MaxRate)),
		"slip":       scalar(r, &s.RateLimit.Slip, countUpTo(100)),
	})
}

// readStale parses the key for serve-stale: how long expired answers are used.
func (s *Settings) readStale(r *reader, n *yaml.Node) {
	serve := true
	r.mapping(n, fields{
		"serve": scalar(r, &serve, parseSwitch),
		"max":   scalar(r, &s.Stale.Max, parseSeconds(time.Second, dnsfilter.MaxStale)),
	})
	s.Stale.Off = !serve
}

// special returns the special-use zones that the server answers itself, including resolver.arpa unless it is turned
// off.
func (s *Settings) special() (zones []blocklist.Name) {
	named := slices.Clone(s.Local)
	if !slices.Contains(named, discovery) && !slices.Contains(named, noDiscovery) {
		named = append(named, discovery)
	}
	for _, text := range named {
		if text == noDiscovery {
			continue
		}
		if zone, err := blocklist.ParseName(text); err == nil {
			zones = append(zones, zone)
		}
	}
	return zones
}

// parseSpecial parses the name of a special-use zone, or noDiscovery.
func parseSpecial(text string) (string, error) {
	if text != noDiscovery && !slices.Contains(dnsfilter.SpecialZones(), text) {
		return "", fmt.Errorf("zone %q is not special: name some that are, like 10.in-addr.arpa or home.arpa, or leave local out for all", text)
	}
	return text, nil
}

// Server returns the configuration of a server, without the store, the log, the cookie secrets, the local data and the
// upstreams.
func (s *Settings) Server() dnsfilter.Config {
	c := dnsfilter.Config{
		Policy: s.Policy(), Cache: s.Cache, Clients: s.Clients, RateLimit: s.RateLimit,
		SpecialUse: s.special(), Canaries: s.Canaries, ServerID: s.ServerID, Stale: s.Stale, Proxies: s.Proxies,
	}
	if c.Cache == 0 {
		c.Cache = -1
	}
	for _, z := range s.Forward {
		c.Forward = append(c.Forward, dnsfilter.ForwardZone{Zone: z.Zone})
	}
	return c
}

// LoadServer returns the configuration of [Settings.Server] with the cookie secrets, the local data and the upstreams.
func (s *Settings) LoadServer() (c dnsfilter.Config, err error) {
	c = s.Server()
	addrs := s.Upstream
	if len(addrs) == 0 {
		if addrs, err = upstream.System(); err != nil {
			return c, err
		}
	}
	if c.Upstream, err = s.forwarder(addrs); err != nil {
		return c, err
	}
	for i, z := range s.Forward {
		if c.Forward[i].Upstream, err = s.forwarder(z.Resolvers); err != nil {
			return c, err
		}
	}
	own, err := s.discoveryRecords()
	if err != nil {
		return c, err
	}
	if c.Records, err = s.readRecords(own); err != nil {
		return c, err
	}
	if s.CookieSecrets != "" {
		c.CookieSecrets, err = ReadCookieSecrets(s.CookieSecrets)
	}
	return c, err
}

// forwarder creates an upstream that forwards queries to these resolvers.
func (s *Settings) forwarder(addrs []upstream.Endpoint) (dnsfilter.Upstream, error) {
	if err := s.checkLoop(addrs); err != nil {
		return nil, err
	}
	return upstream.New(addrs...)
}
