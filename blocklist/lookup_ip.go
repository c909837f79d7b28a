package blocklist

import (
	"math/bits"
	"net/netip"
	"slices"
)

// findAddr returns the matching ip entry for an address. It tries the shortest prefix first.
func (l *list) findAddr(a netip.Addr, k *keys) candidate {
	f := candidate{list: l}
	l.eachAddr(a, func(key []byte, a *matchInfo) {
		if a.overrides(f.info) {
			f.info, f.scope, f.at = a, ScopeIP, k.add(key)
		}
	})
	return f
}

// eachAddr calls consider with each matching ip entry for an address, shortest prefix first.
func (l *list) eachAddr(a netip.Addr, consider func(key []byte, a *matchInfo)) {
	k := l.features()
	if k.IPv4|k.IPv6[0]|k.IPv6[1]|k.IPv6[2] == 0 { // most lists have no addresses
		return
	}
	if v4, ok := embedded(a); ok {
		l.eachPrefix(v4, [3]uint64{k.IPv4}, consider)
	}
	lengths := k.IPv6
	if a.Is4() {
		lengths = [3]uint64{k.IPv4}
	}
	l.eachPrefix(a, lengths, consider)
}

// eachPrefix calls consider for each listed prefix of an address. The argument lengths has a bit for each prefix length
// to try.
func (l *list) eachPrefix(a netip.Addr, lengths [3]uint64, consider func(key []byte, a *matchInfo)) {
	for i, word := range lengths {
		for ; word != 0; word &= word - 1 {
			p, err := a.Prefix(64*i + bits.TrailingZeros64(word))
			if err != nil || !p.IsValid() {
				return
			}
			hash := l.base.secret.prefixHash(p)
			if !l.mayContain(hash) {
				continue
			}
			key := []byte(prefixText(p))
			if a, ok := l.find(ScopeIP, key, hash); ok {
				consider(key, a)
			}
		}
	}
}

// LookupAddr looks up an address in all lists. It returns the match of the first list that blocks it, or else of the
// first list that monitors it. For an IPv6 address that stands for an IPv4 address (IPv4-mapped, or with the well-known
// NAT64 prefix), entries for both match. It allocates only if there is a match.
func (s *lookups) LookupAddr(a netip.Addr) (Match, bool) {
	var k keys
	f := s.view.Load().first(func(l *list) candidate { return l.findAddr(a, &k) })
	if f.info == nil {
		return Match{}, false
	}
	return f.match(k[f.at]), true
}

// AppendAddrMatches appends to dst one match for each list that has a matching entry for the address, selected as by
// LookupAddr.
func (s *lookups) AppendAddrMatches(dst []Match, a netip.Addr) []Match {
	var k keys
	for _, l := range s.view.Load().lists {
		if f := l.findAddr(a, &k); f.info != nil {
			dst = append(dst, f.match(k[f.at]))
		}
	}
	return dst
}

// AppendAddrEntries appends to dst all matching entries of one list for the address, most specific first.
func (s *lookups) AppendAddrEntries(dst []Match, list string, a netip.Addr) []Match {
	l := s.view.Load().list(list)
	if l == nil {
		return dst
	}
	before := len(dst)
	l.eachAddr(a, func(key []byte, a *matchInfo) {
		f := candidate{list: l, info: a, scope: ScopeIP}
		dst = append(dst, f.match(key))
	})
	slices.Reverse(dst[before:])
	return dst
}
