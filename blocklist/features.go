package blocklist

// features records which kinds of entries a set or an overlay contains, so that lookups can skip the other kinds. The
// kind of a removed entry stays recorded until the next snapshot.
type features struct {
	URLs uint64    // 1 if there are url entries
	IPv4 uint64    // bit n: there are prefixes of length n
	IPv6 [3]uint64 // bit n%64 of word n/64: there are prefixes of length n
}

func (k *features) add(e *Entry) {
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

// union returns the kinds of entries that are in k or in l.
func (k features) union(l features) features {
	k.URLs |= l.URLs
	k.IPv4 |= l.IPv4
	for i := range k.IPv6 {
		k.IPv6[i] |= l.IPv6[i]
	}
	return k
}
