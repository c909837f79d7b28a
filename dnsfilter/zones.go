package dnsfilter

import (
	"fmt"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// zones are the zones whose answers do not come from the general upstream: local data, special-use zones, canary names,
// forward zones, and zones of which this server is the primary. The lists decide about a query before the zones do. One
// search finds the zone of a name. It costs almost nothing if no zone ends in the same letter as the name.
type zones struct {
	by    map[blocklist.Name]*zone
	ends  [256]bool                   // true at each byte that is the last letter of a zone name
	sizes [blocklist.MaxName + 1]bool // true for the sizes of zone names in wire form

	primary bool // there are zones of which this server is the primary
}

// zone is a name with one or more sources of answers. The answer to a query comes from the first field that applies to
// the query.
type zone struct {
	name    blocklist.Name
	primary PrimaryZone
	local   *localName // local data of the name; nil: none
	forward *resolvers // upstream of the forward zone; nil: none
	canary  Action     // action of the canary name: NXDomain or NoData; Pass: none
	special bool       // the zone is a special-use zone
}

// applies reports whether the zone has a source of answers: for its own name if the argument is true, otherwise for the
// names below it.
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

// checkZones validates the settings from which newZones creates zones. The errors wrap [blocklist.ErrMalformed].
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

// OwnZone returns the closest zone that contains a name and for which the general upstream is not asked. It also
// reports whether this is a forward zone. The zone is empty if there is none. The name is in lower-case wire form.
func (c *Config) OwnZone(name []byte) (zone blocklist.Name, forwarded bool) {
	z := newZones(c)
	if found := z.find(name); found != nil {
		return found.name, found.forward != nil
	}
	return "", false
}

// at returns the zone with the given name, and adds it if it is missing.
func (z *zones) at(name blocklist.Name) *zone {
	if z.by[name] == nil {
		z.by[name] = &zone{name: name}
		z.ends[lastLetter(name)], z.sizes[len(name)] = true, true
	}
	return z.by[name]
}

// lastLetter returns the last byte of the top-level domain of a name in wire form, or 0 for the root.
func lastLetter[T ~string | ~[]byte](name T) byte { return name[max(len(name)-2, 0)] }

// find returns the longest zone that contains a name and applies to it, or nil. The name is in lower-case wire form.
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

// isDelegation reports whether a query is for the DS records at the top of a zone of the local data. These records
// belong to the parent zone, whose answer from the upstream lets validators treat the zone as unsigned.
func (z *zone) isDelegation(itself bool, qtype uint16) bool {
	return itself && qtype == dns.TypeDS && z.local.has(dns.TypeSOA)
}
