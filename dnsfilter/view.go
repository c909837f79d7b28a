package dnsfilter

import (
	"net/netip"
	"slices"
)

// general returns the view of clients that are in none of [Policy].Views.
func (p *Policy) general() View {
	v := View{Allow: p.Allow, Rules: p.Rules, Quorums: p.Quorums}
	v.findZones()
	return v
}

// findZones sets zones to the indexes of the rules with a policy zone.
func (v *View) findZones() {
	v.zones = nil
	for i := range v.Rules {
		if v.Rules[i].Zone != nil {
			v.zones = append(v.zones, i)
		}
	}
}

// hasZones reports whether the policy has policy zones.
func (p *Policy) hasZones() bool {
	return slices.ContainsFunc(append([]View{p.general()}, p.Views...), func(v View) bool {
		v.findZones()
		return len(v.zones) > 0
	})
}

// View returns the view of a client: the one with the longest matching prefix, or else the general view. A client
// without an IP address gets the general view.
func (p *Policy) View(client netip.Addr) View {
	v := newViews(p)
	return *v.of(plainAddr(client))
}

// views maps clients to views.
type views struct {
	general View
	by      map[netip.Prefix]*View
	diverts bool     // a rule of any view has addresses in Divert
	lengths [2][]int // prefix lengths in use for IPv4 and for IPv6, longest first
}

func newViews(p *Policy) *views {
	v := &views{general: p.general(), by: make(map[netip.Prefix]*View)}
	v.diverts = v.general.diverts()
	for _, view := range p.Views {
		view.findZones()
		v.diverts = v.diverts || view.diverts()
		for _, network := range view.Clients {
			v.by[network.Masked()] = &view
			lengths := v.lengthsFor(network.Addr())
			*lengths = append(*lengths, network.Bits())
		}
	}
	for i := range v.lengths {
		slices.Sort(v.lengths[i])
		slices.Reverse(v.lengths[i])
		v.lengths[i] = slices.Compact(v.lengths[i])
	}
	return v
}

func (v *views) lengthsFor(a netip.Addr) *[]int {
	if a.Is4() {
		return &v.lengths[0]
	}
	return &v.lengths[1]
}

// of returns the view of a client. The address has the form of plainAddr. The call allocates nothing, and costs one map
// lookup per prefix length.
func (v *views) of(client netip.Addr) *View {
	if len(v.by) == 0 || !client.IsValid() {
		return &v.general
	}
	for _, length := range *v.lengthsFor(client) {
		network, err := client.Prefix(length)
		if err != nil {
			break
		}
		if view, ok := v.by[network]; ok {
			return view
		}
	}
	return &v.general
}
