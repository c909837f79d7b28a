package blocklist

import (
	"math/bits"
	"net/netip"
	"slices"
)

// kinds says what the entries of a set or an overlay are, so that a lookup can leave out what it does not hold. Removed
// entries count until the next snapshot.
type kinds struct {
	URLs uint64    // 1 if there are url entries
	IPv4 uint64    // bit n: there are prefixes of n bits
	IPv6 [3]uint64 // likewise, 64 to a word
}

func (k *kinds) add(e *Entry) {
	switch e.Scope {
	case ScopeDomain, ScopeHost:
	case ScopeURL:
		k.URLs = 1
	case ScopeIP:
		p, _ := e.Prefix()
		if n := p.Bits(); p.Addr().Is4() {
			k.IPv4 |= 1 << n
		} else {
			k.IPv6[n/64] |= 1 << (n % 64)
		}
	}
}

// and returns the kinds of both.
func (k kinds) and(l kinds) kinds {
	k.URLs |= l.URLs
	k.IPv4 |= l.IPv4
	for i := range k.IPv6 {
		k.IPv6[i] |= l.IPv6[i]
	}
	return k
}

// kinds returns those of the base and of the overlay.
func (l *list) kinds() kinds {
	if l.over == nil {
		return l.base.header.Kinds
	}
	return l.base.header.Kinds.and(l.over.kinds)
}

// prefixHash is the filter hash of an ip entry.
func (s *secret) prefixHash(p netip.Prefix) uint64 {
	b := p.Addr().As16()
	return s.scoped(s.extend(uint64(p.Bits()), b[16-p.Addr().BitLen()/8:]), ScopeIP)
}

// findAddr takes the ip entries that hold an address, from the shortest prefix on.
func (l *list) findAddr(a netip.Addr, k *keys) finding {
	f := finding{list: l}
	l.eachAddr(a, func(key []byte, a *attrs) {
		if a.replaces(f.attrs) {
			f.attrs, f.scope, f.at = a, ScopeIP, k.add(key)
		}
	})
	return f
}

// eachAddr calls take with each ip entry that holds an address, from the shortest prefix on.
func (l *list) eachAddr(a netip.Addr, take func(key []byte, a *attrs)) {
	k := l.kinds()
	if k.IPv4|k.IPv6[0]|k.IPv6[1]|k.IPv6[2] == 0 { // most lists are of names alone
		return
	}
	if v4, ok := embedded(a); ok {
		l.eachPrefix(v4, [3]uint64{k.IPv4}, take)
	}
	lengths := k.IPv6
	if a.Is4() {
		lengths = [3]uint64{k.IPv4}
	}
	l.eachPrefix(a, lengths, take)
}

// eachPrefix does so for the prefixes of an address; lengths has a bit for each length to try.
func (l *list) eachPrefix(a netip.Addr, lengths [3]uint64, take func(key []byte, a *attrs)) {
	for i, word := range lengths {
		for ; word != 0; word &= word - 1 {
			p, err := a.Prefix(64*i + bits.TrailingZeros64(word))
			if err != nil || !p.IsValid() {
				return
			}
			hash := l.base.secret.prefixHash(p)
			if !l.maybe(hash) {
				continue
			}
			key := []byte(prefixText(p))
			if a, ok := l.find(ScopeIP, key, hash); ok {
				take(key, a)
			}
		}
	}
}

// LookupAddr looks an address up in all lists, and returns the match of the first list that blocks it, else the first that
// monitors it. An IPv6 address that leads to an IPv4 address, IPv4-mapped or by the well-known prefix of NAT64, is held by
// the entries of both. It allocates only where an entry holds the address.
func (s *lookups) LookupAddr(a netip.Addr) (Match, bool) {
	var k keys
	f := s.view.Load().first(func(l *list) finding { return l.findAddr(a, &k) })
	if f.attrs == nil {
		return Match{}, false
	}
	return f.match(k[f.at]), true
}

// AppendAddrMatches appends to dst the match of each list that holds the address, at most one a list, chosen as by
// LookupAddr.
func (s *lookups) AppendAddrMatches(dst []Match, a netip.Addr) []Match {
	var k keys
	for _, l := range s.view.Load().lists {
		if f := l.findAddr(a, &k); f.attrs != nil {
			dst = append(dst, f.match(k[f.at]))
		}
	}
	return dst
}

// AppendAddrEntries appends to dst every entry of one list that holds the address, the most specific first.
func (s *lookups) AppendAddrEntries(dst []Match, list string, a netip.Addr) []Match {
	l := s.view.Load().list(list)
	if l == nil {
		return dst
	}
	before := len(dst)
	l.eachAddr(a, func(key []byte, a *attrs) {
		f := finding{list: l, attrs: a, scope: ScopeIP}
		dst = append(dst, f.match(key))
	})
	slices.Reverse(dst[before:])
	return dst
}
