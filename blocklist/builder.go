package blocklist

import "slices"

// builder collects the entries of a set: 32 bytes an entry until the file is written.
type builder struct {
	secret *secret
	rows   []setRow
	hashes []uint64
	hosts  int    // of the hashes: those of the hosts of url entries
	host   uint64 // the last of them
	kinds  kinds
	attrs  *attrsTable
}

func newBuilder(s *secret, expected uint64) *builder {
	expected = min(expected, 4<<20) // more is taken as it comes
	return &builder{secret: s, attrs: newAttrsTable(), rows: make([]setRow, 0, expected), hashes: make([]uint64, 0, expected)}
}

func (b *builder) add(e Entry) {
	b.rows = append(b.rows, setRow{b.secret.tableKey(e.Scope, []byte(e.key)), b.attrs.add(attrsOf(e.Attributes))})
	b.kinds.add(e)
	hash, host := b.secret.filterHash(e)
	b.hashes = append(b.hashes, hash)
	if host != 0 && host != b.host { // most lists have the URLs of a host together
		b.hashes, b.hosts, b.host = append(b.hashes, host), b.hosts+1, host
	}
}

// content sorts the rows, and leaves the strongest of those for the same target.
func (b *builder) content() setContent {
	slices.SortFunc(b.rows, func(x, y setRow) int { return x.key.compare(y.key) })
	kept := b.rows[:0]
	for _, r := range b.rows {
		if n := len(kept); n > 0 && kept[n-1].key == r.key {
			if b.attrs.all[r.attrs].stronger(&b.attrs.all[kept[n-1].attrs]) {
				kept[n-1] = r
			}
			continue
		}
		kept = append(kept, r)
	}
	fed := len(kept) + b.hosts
	words := make([]uint64, filterWords(fed))
	f := newFilter(words)
	for _, hash := range b.hashes {
		f.add(hash)
	}
	return setContent{
		salt: b.secret.salt, rows: slices.Values(kept), count: len(kept),
		words: words, fed: uint64(fed), kinds: b.kinds, attrs: b.attrs.all,
	}
}
