package dnsfilter

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// nameTable maps the names of a policy zone to rules. It has an entry for each name that exists, names without records
// above others included (empty non-terminals). So a search goes down from the root, and ends at the first name that
// does not exist: usually after two steps. All memory is in slices without pointers.
type nameTable struct {
	seed  maphash.Seed
	slots []uint32 // index of a node, by the hash of its name; 0: free. The length is a power of two.
	nodes []nameNode
	names []byte // of the nodes, in wire form, each behind its size
}

// nameNode is one name. Node 0 is the root, which is in no slot.
type nameNode struct {
	at           uint32   // offset of the name's size in names; 0, except for the root: the name does not exist any more
	exact, below zoneRule // of the name, and of the wildcard below it
	children     uint32   // number of names with one label more
}

// maxLabels is the maximum number of labels of a name, without the root.
const maxLabels = blocklist.MaxName / 2

func newNameTable() nameTable {
	return nameTable{seed: maphash.MakeSeed(), slots: make([]uint32, 16), nodes: []nameNode{{}}, names: []byte{1, 0}}
}

// name returns the name of a node in wire form.
func (t *nameTable) name(node uint32) []byte {
	at := t.nodes[node].at
	return t.names[at+1:][:t.names[at]]
}

// slot returns the index of the slot of a name: the one that has it, or else a free one.
func (t *nameTable) slot(name []byte) uint64 {
	mask := uint64(len(t.slots) - 1)
	for i := maphash.Bytes(t.seed, name) & mask; ; i = (i + 1) & mask {
		if node := t.slots[i]; node == 0 || bytes.Equal(t.name(node), name) {
			return i
		}
	}
}

// find returns the rule for a name in lower-case wire form: that of the name itself or, if the name does not exist,
// that of the wildcard at its closest encloser (RFC 4592, section 3.3.1). The result also has the node, and whether the
// rule is that of the wildcard below it.
func (t *nameTable) find(name []byte) (rule zoneRule, node uint32, below bool) {
	if len(t.nodes) == 1 {
		return t.nodes[0].below, 0, true
	}
	var starts [maxLabels]uint8
	n := 0
	for at := 0; name[at] != 0; at += 1 + int(name[at]) {
		starts[n] = uint8(at)
		n++
	}
	for n--; n >= 0; n-- {
		next := t.slots[t.slot(name[starts[n]:])]
		if next == 0 {
			return t.nodes[node].below, node, true
		}
		node = next
	}
	return t.nodes[node].exact, node, false
}

// get returns the node of a name. It has no rules if the name does not exist.
func (t *nameTable) get(name []byte) nameNode {
	if name[0] == 0 {
		return t.nodes[0]
	}
	if node := t.slots[t.slot(name)]; node != 0 {
		return t.nodes[node]
	}
	return nameNode{}
}

// at returns a pointer to the rule of a name, or of the wildcard below it. It adds the name and its parents if they are
// missing.
func (t *nameTable) at(name []byte, below bool) *zoneRule {
	node := t.add(name)
	if below {
		return &t.nodes[node].below
	}
	return &t.nodes[node].exact
}

// add returns the node of a name. It adds the name and its parents if they are missing.
func (t *nameTable) add(name []byte) uint32 {
	if name[0] == 0 {
		return 0
	}
	slot := t.slot(name)
	if node := t.slots[slot]; node != 0 {
		return node
	}
	node := uint32(len(t.nodes))
	t.nodes = append(t.nodes, nameNode{at: uint32(len(t.names))})
	t.names = append(append(t.names, uint8(len(name))), name...)
	t.slots[slot] = node
	if 2*len(t.nodes) > len(t.slots) {
		t.grow()
	}
	parent := t.add(withoutLabel(name))
	t.nodes[parent].children++
	return node
}

// withoutLabel returns a name without its first label.
func withoutLabel(name []byte) []byte { return name[1+int(name[0]):] }

// grow doubles the number of slots.
func (t *nameTable) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for node := 1; node < len(t.nodes); node++ {
		if t.nodes[node].at != 0 {
			t.slots[t.slot(t.name(uint32(node)))] = uint32(node)
		}
	}
}

// clear removes the rule of a name, or of the wildcard below it. A name that is left without rules and without names
// below it does not exist any more, nor do those above it that were there for it alone. Their memory stays in use.
func (t *nameTable) clear(name []byte, below bool) {
	for *t.at(name, below) = noRule; name[0] != 0; name = withoutLabel(name) {
		slot := t.slot(name)
		node := &t.nodes[t.slots[slot]]
		if node.exact != noRule || node.below != noRule || node.children > 0 {
			return
		}
		t.free(slot)
		node.at = 0
		t.nodes[t.add(withoutLabel(name))].children--
	}
}

// free frees a slot. Those behind it, up to the next free one, move where a search would find them.
func (t *nameTable) free(slot uint64) {
	mask := uint64(len(t.slots) - 1)
	for i := (slot + 1) & mask; t.slots[i] != 0; i = (i + 1) & mask {
		home := maphash.Bytes(t.seed, t.name(t.slots[i])) & mask
		if (i-home)&mask >= (i-slot)&mask {
			t.slots[slot] = t.slots[i]
			slot = i
		}
	}
	t.slots[slot] = 0
}

// clone returns a copy that has no more memory than it needs.
func (t *nameTable) clone() nameTable {
	return nameTable{t.seed, slices.Clone(t.slots), slices.Clone(t.nodes), slices.Clone(t.names)}
}
