package dnsfilter

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// prefixTable maps the prefixes of a policy zone to rules. A search costs one map lookup for each prefix length in use.
type prefixTable struct {
	rules   map[prefixKey]zoneRule
	lengths [2][]int // prefix lengths in use for IPv4 and for IPv6, longest first
}

// prefixKey is a masked prefix without pointers, so that the garbage collector need not scan the map. IPv4 prefixes are
// in IPv4-mapped form, so their lengths are 96 more.
type prefixKey struct {
	addr [16]byte
	bits uint8
}

func keyOfPrefix(p netip.Prefix) prefixKey {
	return prefixKey{p.Addr().As16(), uint8(p.Bits() + 128 - p.Addr().BitLen())}
}

// prefix converts a key back to a prefix.
func (k prefixKey) prefix() netip.Prefix {
	if a := netip.AddrFrom16(k.addr); a.Is4In6() {
		return netip.PrefixFrom(a.Unmap(), int(k.bits)-96)
	}
	return netip.PrefixFrom(netip.AddrFrom16(k.addr), int(k.bits))
}

// at returns the rule of a masked prefix, or noRule.
func (t *prefixTable) at(p netip.Prefix) zoneRule { return t.rules[keyOfPrefix(p)] }

// set sets the rule of a masked prefix.
func (t *prefixTable) set(p netip.Prefix, rule zoneRule) {
	if t.rules == nil {
		t.rules = make(map[prefixKey]zoneRule)
	}
	t.rules[keyOfPrefix(p)] = rule
	lengths := &t.lengths[0]
	if p.Addr().Is6() {
		lengths = &t.lengths[1]
	}
	if at, ok := slices.BinarySearchFunc(*lengths, p.Bits(), func(a, b int) int { return cmp.Compare(b, a) }); !ok {
		*lengths = slices.Insert(*lengths, at, p.Bits())
	}
}

// clear removes the rule of a masked prefix.
func (t *prefixTable) clear(p netip.Prefix) { delete(t.rules, keyOfPrefix(p)) }

// clone returns a copy.
func (t *prefixTable) clone() prefixTable {
	return prefixTable{maps.Clone(t.rules), [2][]int{slices.Clone(t.lengths[0]), slices.Clone(t.lengths[1])}}
}

// find returns the rule of the longest prefix that has a rule and contains an address, and this prefix. If there is
// none, it returns noRule.
func (t *prefixTable) find(a netip.Addr) (zoneRule, netip.Prefix) {
	lengths := t.lengths[0]
	if a.Is6() {
		lengths = t.lengths[1]
	}
	for _, length := range lengths {
		if p, err := a.Prefix(length); err == nil {
			if rule, ok := t.rules[keyOfPrefix(p)]; ok {
				return rule, p
			}
		}
	}
	return noRule, netip.Prefix{}
}
