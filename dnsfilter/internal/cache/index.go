package cache

import "sync/atomic"

// A slot of the index has 30 bits of the hash, 2 bits of use counter, and the position of the entry plus one. An entry
// may be in any slot of its set.

// maxUsed is the maximum of the use counter of an entry.
const maxUsed = 3

func slot(hash uint64, used uint8, at int) uint64 {
	return hash>>34<<34 | uint64(used)<<32 | uint64(at+1)
}

func slotAt(v uint64) int     { return int(uint32(v)) - 1 }
func slotUsed(v uint64) uint8 { return uint8(v >> 32 & maxUsed) }

// set returns the slots in which an entry with this hash may be.
func (s *shard) set(hash uint64) []atomic.Uint64 {
	n := hash & 0xffffffff * uint64(len(s.slots)/setSlots) >> 32
	return s.slots[n*setSlots:][:setSlots]
}

// locate returns the position and the use counter of the entry with a hash. The position is -1 if there is none.
func (s *shard) locate(hash uint64) (at int, used uint8) {
	for i, set := 0, s.set(hash); i < len(set); i++ {
		v := set[i].Load()
		if at := slotAt(v); at >= 0 && v>>34 == hash>>34 && s.words[at].Load() == hash {
			return at, slotUsed(v)
		}
	}
	return -1, 0
}

// link adds the entry at a position to the index. If its set of slots is full, it replaces the least used entry.
func (s *shard) link(hash uint64, used uint8, at int) {
	set := s.set(hash)
	least := &set[0]
	for i := range set {
		v := set[i].Load()
		if v == 0 {
			least = &set[i]
			break
		}
		if slotUsed(v) < slotUsed(least.Load()) {
			least = &set[i]
		}
	}
	if s.linked++; least.Load() != 0 {
		s.linked--
		s.evicted++
	}
	least.Store(slot(hash, used, at))
}

// unlink removes the entry at a position from the index. It returns the use counter of the entry, and false if the
// index does not have the entry.
func (s *shard) unlink(hash uint64, at int) (used uint8, ok bool) {
	for i, set := 0, s.set(hash); i < len(set); i++ {
		if v := set[i].Load(); slotAt(v) == at && v>>34 == hash>>34 {
			set[i].Store(0)
			s.linked--
			return slotUsed(v), true
		}
	}
	return 0, false
}
