package dnsfilter

import (
	"fmt"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// zones are the names about which the general upstream is not asked, after the lists have decided: local data,
// special-use zones, canary names, zones with an upstream of their own, and zones that this server is the primary of.
// One search finds all of them, by the longest suffix. It costs nothing for names whose last letter no zone has.
type zones struct {
	by    map[blocklist.Name]*zone
	ends  [256]bool                   // by the last letter of the zone
	sizes [blocklist.MaxName + 1]bool // by the size of the zone's name in wire form

	primary bool // there are primary zones
}

// zone is one of the zones. If a name is configured for several purposes, the first of the fields that applies counts.
type zone struct {
	name    blocklist.Name
	primary PrimaryZone
	local   *localName // of the local data
	forward *resolvers // the zone is forwarded to these
	canary  Action     // NXDomain or NoData
	special bool       // a special-use zone
}

// applies reports whether the zone applies: to its own name if the argument is true, else to the names below it.
func (z *zone) applies(itself bool) bool {
	return z.primary != nil || z.special || z.canary != Pass || z.forward != nil || z.local.answers(itself)
}

// newZones creates the zones of a configuration.
func newZones(c *Config) zones {
	z := zones{by: make(map[blocklist.Name]*zone)}
	for _, name := range c.SpecialUse {
		z.at(name).special = true
	}
	if c.Records != nil {
		for name, n := range c.Records.names {
			z.at(name).local = n
		}
	}
	for name, action := range c.Canaries {
		z.at(name).canary = action
	}
	for _, f := range c.Forward {
		z.at(f.Zone).forward = newResolvers(f.Upstream, f.Zone.String())
	}
	for name, p := range c.Primary {
		z.at(name).primary, z.primary = p, true
	}
	return z
}

// checkZones validates what newZones reads.
func (c *Config) checkZones() error {
	for name, action := range c.Canaries {
		if name == "" || action != NXDomain && action != NoData {
			return fmt.Errorf("configuring a server: %w: canary name %q: the actions are nxdomain and nodata", blocklist.ErrMalformed, name)
		}
	}
	for _, f := range c.Forward {
		if f.Upstream == nil || len(f.Zone) < 2 {
			return fmt.Errorf("configuring a server: %w: forward zone %q: it needs an upstream, and a name below the root", blocklist.ErrMalformed, f.Zone)
		}
	}
	for name, p := range c.Primary {
		if p == nil || len(name) < 2 {
			return fmt.Errorf("configuring a server: %w: primary zone %q: it needs a source, and a name below the root", blocklist.ErrMalformed, name)
		}
	}
	return nil
}

// OwnZone returns the closest zone that contains a name, which is in lower-case wire form. Only zones about which the
// general upstream is not asked count. OwnZone also reports whether the zone is a forward zone. The zone is empty if
// there is none.
func (c *Config) OwnZone(name []byte) (zone blocklist.Name, forwarded bool) {
	z := newZones(c)
	if found := z.find(name); found != nil {
		return found.name, found.forward != nil
	}
	return "", false
}

// at returns the zone with this name. It adds the zone if there is none.
func (z *zones) at(name blocklist.Name) *zone {
	if z.by[name] == nil {
		z.by[name] = &zone{name: name}
		z.ends[lastLetter(name)], z.sizes[len(name)] = true, true
	}
	return z.by[name]
}

// lastLetter returns the last byte of the top-level domain of a name in wire form, or 0 for the root.
func lastLetter[T ~string | ~[]byte](name T) byte { return name[max(len(name)-2, 0)] }

// find returns the zone with the longest name that contains a name in lower-case wire form, or nil.
func (z *zones) find(name []byte) *zone {
	if !z.ends[lastLetter(name)] {
		return nil
	}
	for at := 0; name[at] != 0; at += 1 + int(name[at]) {
		if z.sizes[len(name)-at] {
			if found, ok := z.by[blocklist.Name(name[at:])]; ok && found.applies(at == 0) {
				return found
			}
		}
	}
	return nil
}

// isDelegation reports whether a query is for the DS records at the top of a zone of the local data. They belong to the
// parent zone, whose answer lets validators treat the zone as unsigned.
func (z *zone) isDelegation(itself bool, qtype uint16) bool {
	return itself && qtype == dns.TypeDS && z.local.has(dns.TypeSOA)
}
