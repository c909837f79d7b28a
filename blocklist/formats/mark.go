package formats

import (
	"cmp"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// mark is a set of bits: what the lines of a file say about a name.
type mark uint8

const (
	listName  mark = 1 << iota // the name itself is listed
	listBelow                  // the names below the name are listed
	passName                   // the name itself is excepted
	passBelow                  // the names below the name are excepted

	rewritten // the name has an answer other than the stop page
	withdrawn // the lines that list the name are disabled

	listDomain = listName | listBelow
	passDomain = passName | passBelow
)

// verdict combines all marks of a name or a prefix.
type verdict struct {
	mark mark
	line int // the first line about the name or prefix
}

// remember adds a mark to the verdict with the key k.
func remember[K comparable](in map[K]verdict, k K, m mark, line int) {
	v, ok := in[k]
	if !ok || line < v.line {
		v.line = line
	}
	v.mark |= m
	in[k] = v
}

// below reports whether a parent of n has a bit of the mark m.
func below(in map[blocklist.Name]verdict, n blocklist.Name, m mark) bool {
	for parent := range n.Suffixes() {
		if parent != n && in[parent].mark&m != 0 {
			return true
		}
	}
	return false
}

// inOrder returns the keys in the order of their first lines. Keys of the same line are in the order of their texts.
func inOrder[K interface {
	comparable
	String() string
}](m map[K]verdict) []K {
	type keyLine struct {
		key  K
		line int
	}
	places := make([]keyLine, 0, len(m))
	for k, v := range m {
		places = append(places, keyLine{k, v.line})
	}
	slices.SortFunc(places, func(a, b keyLine) int {
		if c := cmp.Compare(a.line, b.line); c != 0 {
			return c
		}
		return cmp.Compare(a.key.String(), b.key.String())
	})
	keys := make([]K, len(places))
	for i, p := range places {
		keys[i] = p.key
	}
	return keys
}
