package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// noKey is the value of the key "key" for a policy zone, if requests for the zone need no signature (TSIG).
const noKey = "none"

// readPolicyZone parses one policy zone.
func (s *Settings) readPolicyZone(r *reader, n *yaml.Node) {
	z := PolicyZone{position: positionOf(n)}
	given := map[string]bool{}
	known := fields{
		"zone":   scalar(r, &z.Zone, parsePolicyZone),
		"lists":  s.listNames(r, &z.Lists),
		"key":    scalar(r, &z.Key, s.keyFile),
		"allow":  s.policyClients(r, &z.Allow),
		"notify": scalars(r, &z.Notify, parseNotify),
		"file":   scalar(r, &z.File, s.path),
		"zonemd": scalar(r, &z.ZONEMD, parseSwitch),
	}
	before := len(r.errs)
	r.mapping(n, known.recording(given))
	if slices.ContainsFunc(s.PolicyZones, func(o PolicyZone) bool { return o.Zone == z.Zone && z.Zone != "" }) {
		r.fail(z.position, "policy zone %s is there already", z.Zone)
	}
	note := func(missing bool, text string) {
		if missing && len(r.errs) == before {
			r.fail(z.position, "%s", text)
		}
	}
	note(z.Zone == "", "a policy zone needs its name: zone: block.rpz.example")
	note(len(z.Lists) == 0, "a policy zone needs lists")
	note(!given["key"], "a policy zone needs a key, the file that tsig-keygen writes; key: none lets it be copied without a signature")
	note(len(z.Allow) == 0, "a policy zone needs allow: the addresses of the resolvers that copy it")
	if len(r.errs) == before {
		r.whenRead(func() { s.checkPolicyZone(r, &z) })
	}
	s.PolicyZones = append(s.PolicyZones, z)
}

// parsePolicyZone parses the name of a policy zone.
func parsePolicyZone(text string) (blocklist.Name, error) {
	name, err := blocklist.ParseName(text)
	if err != nil || !name.IsHostname() {
		return "", fmt.Errorf("zone %q: write a name like block.rpz.example", text)
	}
	return name, nil
}

// keyFile parses the path of a key file. For the value "none", it returns an empty path.
func (s *Settings) keyFile(text string) (string, error) {
	if text == noKey {
		return "", nil
	}
	return s.path(text)
}

// policyClients returns a parser of the networks that may copy a policy zone. They must be within the networks of
// served clients.
func (s *Settings) policyClients(r *reader, dst *[]netip.Prefix) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var network netip.Prefix
			if scalar(r, &network, parseNetwork)(item); !network.IsValid() {
				return
			}
			*dst = append(*dst, network)
			r.whenRead(func() {
				if !slices.ContainsFunc(s.served(), func(p netip.Prefix) bool { return covers(p, network) }) {
					r.fail(positionOf(item), "not all of %s is served: name it under clients, too", network)
				}
			})
		})
	}
}

// parseNotify parses the address of a secondary. The port is 53 if the text has none.
func parseNotify(text string) (netip.AddrPort, error) {
	if a, err := parseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("notify %q: write an IP address, with a port if it is not 53, like 192.0.2.53 or 192.0.2.53:5353", text)
	}
	return at, nil
}

// checkPolicyZone checks a policy zone together with its lists and with the settings that it needs.
func (s *Settings) checkPolicyZone(r *reader, z *PolicyZone) {
	if !slices.ContainsFunc(s.Listen, func(at string) bool { return strings.HasPrefix(at, "tcp://") || strings.HasPrefix(at, "tls://") }) {
		r.fail(z.position, "zone transfers go over TCP: listen needs an address with tcp://")
	}
	if s.State == "" {
		r.fail(z.position, "a policy zone needs a state folder: state: /var/lib/dnsfilter")
	}
	if len(z.Lists)+len(s.Allow) > rpz.MaxSources {
		r.fail(z.position, "zone %s has more than %d lists", z.Zone, rpz.MaxSources)
	}
	for _, name := range z.Lists {
		l := s.list(name)
		if l == nil {
			continue // that was said already
		}
		if !rpz.CanSay(l.Action) {
			r.fail(z.position, "list %q has the action %s, which a policy zone can't say: it can say nxdomain, nodata, drop and sinkhole", name, l.Action)
		}
		for category, action := range l.Categories {
			if action.Blocks() && !rpz.CanSay(action) {
				r.fail(z.position, "category %q of list %q has the action %s, which a policy zone can't say", category, name, action)
			}
		}
	}
}

// Keys reads the TSIG keys of the zone. It returns nil if requests need no signature.
func (z *PolicyZone) Keys() ([]rpz.Key, error) {
	if z.Key == "" {
		return nil, nil
	}
	return rpz.ReadKeys(z.Key)
}

// Rules returns the rules of the lists of a policy zone, in the order of the settings.
func (s *Settings) Rules(z *PolicyZone) (rules []dnsfilter.Rule) {
	for i := range s.Lists {
		if slices.Contains(z.Lists, s.Lists[i].Rule.List) {
			rules = append(rules, s.Lists[i].Rule)
		}
	}
	return rules
}

// checkKeys returns the errors of the key files of the policy zones.
func (s *Settings) checkKeys() (errs Errors) {
	for i := range s.PolicyZones {
		z := &s.PolicyZones[i]
		if _, err := z.Keys(); err != nil {
			errs = append(errs, z.position.error(s.File, err.Error()))
		}
	}
	return errs
}

// policyZoneNames returns the names of the policy zones.
func (s *Settings) policyZoneNames() (names []string) {
	for _, z := range s.PolicyZones {
		names = append(names, z.Zone.String())
	}
	return names
}

// parseZoneFiles parses the URL, without a path, of the HTTP server for zone files.
func parseZoneFiles(text string) (z ZoneFiles, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	z.TLS = scheme == "https"
	if z.At, err = netip.ParseAddrPort(rest); err != nil || z.At.Port() == 0 || scheme != "http" && scheme != "https" {
		return z, fmt.Errorf("zone_files %q: write an address like https://192.0.2.1:8453", text)
	}
	return z, nil
}

// readZoneFiles parses the key zone_files. It checks the value after all keys are read.
func (s *Settings) readZoneFiles(r *reader, n *yaml.Node) {
	scalar(r, &s.ZoneFiles, parseZoneFiles)(n)
	r.whenRead(func() {
		if err := s.checkZoneFiles(); err != nil {
			r.fail(positionOf(n), "%v", err)
		}
	})
}

func (s *Settings) checkZoneFiles() error {
	switch {
	case len(s.PolicyZones) == 0:
		return errors.New("zone_files is for policy zones, and rpz names none")
	case s.ZoneFiles.TLS && s.Certificate.Cert == "":
		return errors.New("zone_files with https:// needs a certificate: {cert: cert.pem, key: key.pem}")
	}
	return nil
}
