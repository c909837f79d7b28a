package blocklist

import (
	"slices"
	"strconv"
	"strings"
)

// CanaryName returns the name that a store lists as an entry of scope domain while it holds that serial of a signed
// list, and only then: a question for it shows whether a resolver enforces the serial. It ends in argine.test, and is
// a legal name for every legal name of a list; no two lists have the same one.
//
// It is serial-42.it.example_csam.argine.test for serial 42 of it.example/csam: each slash becomes an underscore. Of
// a label that is too long, what is beyond the limit becomes labels that begin with an underscore.
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

// canary is the entry by which a resolver shows which serial it enforces. It is no part of the release, and lies next
// to set and overlay, so that it costs the lookup of other names a comparison of lengths.
type canary struct {
	name string // in wire form; empty if there is none
	info matchInfo
}

// covers reports whether a name in wire form, taken apart in w, is the canary or below it, and where the entry begins.
func (t *canary) covers(w *suffixes, name []byte) (at int, ok bool) {
	at = len(name) - len(t.name)
	return at, at >= 0 && t.name != "" && string(name[at:]) == t.name && slices.Contains(w.at[:w.n], uint8(at))
}
