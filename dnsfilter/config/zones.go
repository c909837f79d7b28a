package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// readForward parses the forward zones.
func (s *Settings) readForward(r *reader, n *yaml.Node) {
	r.eachPair(n, func(key, value *yaml.Node) {
		var z ForwardZone
		before := len(r.errs)
		scalar(r, &z.Zone, parseForwardZone)(key)
		nonEmpty(r, &z.Resolvers, upstream.ParseEndpoint)(value)
		if slices.ContainsFunc(s.Forward, func(o ForwardZone) bool { return o.Zone == z.Zone }) {
			r.fail(positionOf(key), "zone %q is there already", z.Zone)
		}
		if len(r.errs) > before {
			return
		}
		s.Forward = append(s.Forward, z)
		r.whenRead(func() {
			if err := s.checkLoop(z.Resolvers); err != nil {
				r.fail(positionOf(value), "%v", err)
			}
		})
	})
}

func parseForwardZone(text string) (blocklist.Name, error) {
	zone, err := blocklist.ParseName(text)
	if err != nil || zone == "\x00" {
		return "", fmt.Errorf("zone %.100q: %w: write a name like corp.example; upstream is for all others", text, blocklist.ErrMalformed)
	}
	return zone, nil
}

// readCanaries parses the canary names.
func (s *Settings) readCanaries(r *reader, n *yaml.Node) {
	if s.Canaries == nil {
		s.Canaries = make(map[blocklist.Name]dnsfilter.Action)
	}
	r.eachPair(n, func(key, value *yaml.Node) {
		var name blocklist.Name
		var action dnsfilter.Action
		scalar(r, &name, parseCanary)(key)
		if scalar(r, &action, parseCanaryAction)(value); name != "" {
			s.Canaries[name] = action
		}
	})
}

func parseCanary(text string) (blocklist.Name, error) {
	if known := dnsfilter.CanaryNames(); !slices.Contains(known, text) {
		return "", fmt.Errorf("%.100q is no canary name: there are %s; lists block other names", text, strings.Join(known, ", "))
	}
	return blocklist.ParseName(text)
}

func parseCanaryAction(text string) (dnsfilter.Action, error) {
	switch text {
	case dnsfilter.NXDomain.String():
		return dnsfilter.NXDomain, nil
	case dnsfilter.NoData.String():
		return dnsfilter.NoData, nil
	}
	return dnsfilter.Pass, fmt.Errorf("action %.100q: a canary name is answered with nxdomain or nodata", text)
}

// zoneNames returns the names of the forward zones and of the canaries, for the log.
func (s *Settings) zoneNames() (forward, canaries []string) {
	for _, z := range s.Forward {
		forward = append(forward, z.Zone.String())
	}
	for name := range s.Canaries {
		canaries = append(canaries, name.String())
	}
	slices.Sort(canaries)
	return forward, canaries
}
