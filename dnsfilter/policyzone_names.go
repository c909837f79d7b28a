package dnsfilter

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// nameTable maps the names of a policy zone to rules. It has an entry for each name that exists, including empty
// non-terminals: names without rules that have others below them. So a search goes down from the root, and ends at the
// first name that does not exist: usually after two steps. All memory is in slices without pointers.
type nameTable struct {
	seed  maphash.Seed
	slots []uint32 // hash table of node indexes, by name; 0: free. The length is a power of two.
	nodes []nameNode
	names []byte // the nodes' names in wire form, each after a byte with its size
}

// nameNode is a name in a nameTable. Node 0 is the root, which is in no slot.
type nameNode struct {
	at           uint32   // offset of the name's size byte in names; 0: the root, or a removed name
	exact, below zoneRule // the rules for the name and for the wildcard below it
	children     uint32   // number of existing names with one label more, below this one
}

// maxLabels is the maximum number of labels of a name; the root label does not count.
const maxLabels = blocklist.MaxName / 2

func newNameTable() nameTable {
	return nameTable{seed: maphash.MakeSeed(), slots: make([]uint32, 16), nodes: []nameNode{{}}, names: []byte{1, 0}}
}

// name returns the name of a node in wire form.
func (t *nameTable) name(node uint32) []byte {
	at := t.nodes[node].at
	return t.names[at+1:][:t.names[at]]
}

// slot returns the index of the slot that has a name, or of the free slot in which the name belongs.
func (t *nameTable) slot(name []byte) uint64 {
	mask := uint64(len(t.slots) - 1)
	for i := maphash.Bytes(t.seed, name) & mask; ; i = (i + 1) & mask {
		if node := t.slots[i]; node == 0 || bytes.Equal(t.name(node), name) {
			return i
		}
	}
}

// find returns the rule for a name in lower-case wire form, or noRule. It is the rule of the name itself or, if the
// name does not exist, of the wildcard at its closest encloser (RFC 4592, section 3.3.1). It also returns the node with
// the rule. The result below is true if the rule is the wildcard's.
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

// get returns the node of a name, or the zero node if the name does not exist.
func (t *nameTable) get(name []byte) nameNode {
	if name[0] == 0 {
		return t.nodes[0]
	}
	if node := t.slots[t.slot(name)]; node != 0 {
		return t.nodes[node]
	}
	return nameNode{}
}

// at returns a pointer to the rule of a name or, if below is true, of the wildcard below the name. It adds the name and
// its parents if they are missing.
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

// grow doubles the number of slots of the hash table.
func (t *nameTable) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for node := 1; node < len(t.nodes); node++ {
		if t.nodes[node].at != 0 {
			t.slots[t.slot(t.name(uint32(node)))] = uint32(node)
		}
	}
}

// clear removes the rule of a name or, if below is true, of the wildcard below the name. If the name has no other rule,
// and no names are below it, the name is removed, too, with the parents that existed only because of it. The memory of
// removed names is not reused; see [PolicyZone.Change] for its limit.
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

// free frees a slot. It moves the entries behind the slot so that searches, which end at a free slot, still find them.
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

// clone returns a copy whose slices have no spare capacity.
func (t *nameTable) clone() nameTable {
	return nameTable{t.seed, slices.Clone(t.slots), slices.Clone(t.nodes), slices.Clone(t.names)}
}
