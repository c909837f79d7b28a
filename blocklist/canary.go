package blocklist

import (
	"slices"
	"strconv"
	"strings"
)

// CanaryName returns the canary of a signed list: a name that a store lists, with scope domain, as long as the list is
// at the given serial. So a query for the name shows whether a resolver enforces the serial. The name ends in
// argine.test. It is a valid name for every valid list name, and no two lists have the same one.
//
// For serial 42 of it.example/csam, it is serial-42.it.example_csam.argine.test: each slash becomes an underscore. If a
// label gets too long, its rest becomes further labels that begin with an underscore.
func CanaryName(list string, serial uint64) string {
	var b strings.Builder
	b.WriteString("serial-")
	b.WriteString(strconv.FormatUint(serial, 10))
	for label := range strings.SplitSeq(strings.ReplaceAll(list, "/", "_"), ".") {
		b.WriteByte('.')
		for len(label) > MaxLabel {
			b.WriteString(label[:MaxLabel])
			b.WriteByte('.')
			label = "_" + label[MaxLabel:]
		}
		b.WriteString(label)
	}
	b.WriteString(".argine.test")
	return b.String()
}

// canary is the entry that shows which serial a resolver enforces. It is not part of the release. It is stored
// outside set and overlay, so that it costs a lookup of another name only one comparison of lengths.
type canary struct {
	name string // name in wire form; empty: no canary
	info matchInfo
}

// covers reports whether a name in wire form, with its suffixes in w, is the canary or below it. It also returns the
// offset of the canary in the name.
func (t *canary) covers(w *suffixes, name []byte) (at int, ok bool) {
	at = len(name) - len(t.name)
	return at, at >= 0 && t.name != "" && string(name[at:]) == t.name && slices.Contains(w.at[:w.n], uint8(at))
}
