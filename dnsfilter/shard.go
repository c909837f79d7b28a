package dnsfilter

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// shard is a part of the cache with its own lock for writers. Its memory is cut into segments that are filled one after the
// other and emptied as a whole. New answers go through a short queue of segments; those that were asked for again
// meanwhile move on to the main queue, where they stay as long as they are asked for; the hashes of the others are remembered
// as ghosts, and one that comes back goes to the main queue at once (S3-FIFO, Yang et al. 2023).
//
// An entry is: its hash; times stored and expired; lengths, DO/CD, the extended error, and when it may be looked up again if that
// has failed; flags and counts of the header; then the message from its question on. A slot of the index is: 30 bits of the hash, 2 bits that count uses, the place of the entry plus one.
//
// Writers make version odd while they work. Readers use what they read only if version was even and is the same still.
type shard struct {
	version atomic.Uint64
	words   []atomic.Uint64
	slots   []atomic.Uint64
	per     int // words in a segment

	mu     sync.Mutex // guards what follows, and is held by writers
	used   []int      // words used of each segment
	free   []int      // empty segments
	queues [2]queue
	ghosts []uint32
	spare  []uint64
}

// queue is a queue of segments: the oldest first, the one being filled last.
type queue []int

const (
	short = iota // for what is new
	main         // for what has been asked for again
)

const (
	entryHeader = 4                // words
	minEntry    = entryHeader + 16 // a segment of less is of no use
	maxUsed     = 3                // the most that a slot counts
	fullCircle  = 8                // segments that may be emptied for one answer before nothing is spared
)

// entry is what is known of an entry beside its bytes.
type entry struct {
	at      int
	words   int // 0: there is none
	stored  uint32
	expires uint32
	used    uint8
	retry   uint16 // when it may be looked up again, the last bits of that time; 0: no look-up has failed
}

func (s *shard) set(hash uint64) []atomic.Uint64 {
	n := hash & 0xffffffff * uint64(len(s.slots)/setSlots) >> 32
	return s.slots[n*setSlots:][:setSlots]
}

func slot(hash uint64, used uint8, at int) uint64 {
	return hash>>34<<34 | uint64(used)<<32 | uint64(at+1)
}

func slotAt(v uint64) int     { return int(uint32(v)) - 1 }
func slotUsed(v uint64) uint8 { return uint8(v >> 32 & maxUsed) }

// get copies an entry out. While writers are at work it tries again, and waits for them if that is no use.
func (s *shard) get(dst []byte, hash uint64, key []byte) ([]byte, entry) {
	for range 3 {
		before := s.version.Load()
		m, e := s.find(dst, hash, key)
		if before&1 == 0 && s.version.Load() == before {
			return m, e
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(dst, hash, key)
}

// find looks in all places that the entry may have. What it reads may change meanwhile, so it checks every length.
func (s *shard) find(dst []byte, hash uint64, key []byte) ([]byte, entry) {
	set := s.set(hash)
	for i := range set {
		v := set[i].Load()
		if at := slotAt(v); at >= 0 && v>>34 == hash>>34 && at+entryHeader <= len(s.words) && s.words[at].Load() == hash {
			if m, e := s.read(dst, at, key); e.words != 0 {
				if e.used = slotUsed(v); e.used < maxUsed {
					set[i].CompareAndSwap(v, v+1<<32)
				}
				return m, e
			}
		}
	}
	return nil, entry{}
}

// read copies the entry at a place if it answers key.
func (s *shard) read(dst []byte, at int, key []byte) ([]byte, entry) {
	times, sizes := s.words[at+1].Load(), s.words[at+2].Load()
	asked, size, bits := int(sizes>>16&0xffff), int(sizes&0xffff), byte(sizes>>32)
	words := (size + 7) / 8
	if asked != len(key)-1 || size < asked || bits != key[asked] || at+entryHeader+words > len(s.words) {
		return nil, entry{}
	}
	content := s.words[at+entryHeader:][:words]
	if !sameBytes(content, key[:asked]) {
		return nil, entry{}
	}
	if need := headerSize + 8*words; cap(dst) < need {
		dst = make([]byte, 0, need+optRoom)
	}
	m := dst[:headerSize+8*words]
	binary.BigEndian.PutUint16(m, uint16(sizes>>40&0xff))
	head := s.words[at+3].Load()
	binary.BigEndian.PutUint64(m[2:], head>>48<<48|1<<32|head>>32&0xffff<<16|head>>16&0xffff)
	binary.BigEndian.PutUint16(m[10:], uint16(head))
	for i := asked / 8; i < words; i++ { // what is before is the question, which the client's own takes the place of
		binary.LittleEndian.PutUint64(m[headerSize+8*i:], content[i].Load())
	}
	return m[:headerSize+size], entry{at: at, words: entryHeader + words, stored: uint32(times >> 32), expires: uint32(times), retry: uint16(sizes >> 48)}
}

// optRoom is what an OPT record with extended errors and a cookie needs.
const optRoom = 64

// sameBytes reports whether words begin with b.
func sameBytes(words []atomic.Uint64, b []byte) bool {
	for i := range len(b) / 8 {
		if words[i].Load() != binary.LittleEndian.Uint64(b[8*i:]) {
			return false
		}
	}
	if rest := len(b) % 8; rest != 0 {
		return (words[len(b)/8].Load()^tailWord(b[len(b)-rest:]))<<(64-8*rest) == 0
	}
	return true
}

// tailWord makes a word of fewer than eight bytes.
func tailWord(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}
