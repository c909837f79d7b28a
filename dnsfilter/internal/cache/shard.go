package cache

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// shard is a part of the cache with its own write lock. See evict.go for its queues.
//
// An entry consists of four header words and the message from its question on. Word 0 is the hash. Word 1 has the times
// of storing and expiry. Word 2 has the lengths, the last byte of the key, the lower byte of the ID, and the time
// before which a failed refresh may not be repeated. Word 3 has the flags and counts of the message header.
//
// A seqlock protects readers. The version is odd while a writer works. A reader uses its result only if the version was
// even and has not changed.
type shard struct {
	version atomic.Uint64
	words   []atomic.Uint64
	slots   []atomic.Uint64
	per     int // number of words in a segment

	mu        sync.Mutex // held by writers; guards the following fields
	used      []int      // number of used words, by segment
	free      []int      // numbers of the empty segments
	queues    [2]queue
	ghosts    []uint32
	survivors []uint64 // used entries of the segment that evict removes
	linked    int      // number of entries in the index
	evicted   uint64   // number of entries removed for new ones
}

const (
	entryHeader = 4                // size of the header of an entry, in words
	minEntry    = entryHeader + 16 // minimum size of a segment, in words
)

// entry is the decoded header of a cached answer.
type entry struct {
	at      int
	words   int // size with the header; 0: no entry was found
	stored  uint32
	expires uint32
	used    uint8
	retry   uint16 // lower 16 bits of the time at which a failed refresh may be repeated; 0: none has failed
}

// get copies the message of the entry with a key to dst. It returns the message and the header of the entry, or nil and
// a zero header if there is no such entry. It tries three times without a lock, in case writers are active, and then
// takes the lock.
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

// find is one attempt of get: it searches the slots of a hash for the entry with a key, copies its message to dst, and
// counts the use. Writers may change the memory meanwhile, so find checks every length.
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

// read copies the message of the entry at a position to dst. It returns nil and a zero header if the entry has another
// key.
func (s *shard) read(dst []byte, at int, key []byte) ([]byte, entry) {
	times, sizes := s.words[at+1].Load(), s.words[at+2].Load()
	asked, size, bits := int(sizes>>16&0xffff), int(sizes&0xffff), byte(sizes>>32)
	words := (size + 7) / 8
	if asked != len(key)-1 || size < asked || bits != key[asked] || at+entryHeader+words > len(s.words) {
		return nil, entry{}
	}
	content := s.words[at+entryHeader:][:words]
	if !hasPrefix(content, key[:asked]) {
		return nil, entry{}
	}
	if need := dnswire.HeaderSize + 8*words; cap(dst) < need {
		dst = make([]byte, 0, need+optRoom)
	}
	m := dst[:dnswire.HeaderSize+8*words]
	binary.BigEndian.PutUint16(m, uint16(sizes>>40&0xff))
	head := s.words[at+3].Load()
	binary.BigEndian.PutUint64(m[2:], head>>48<<48|1<<32|head>>32&0xffff<<16|head>>16&0xffff)
	binary.BigEndian.PutUint16(m[10:], uint16(head))
	for i := asked / 8; i < words; i++ { // the question before it is replaced by the client's own
		binary.LittleEndian.PutUint64(m[dnswire.HeaderSize+8*i:], content[i].Load())
	}
	return m[:dnswire.HeaderSize+size], entry{
		at: at, words: entryHeader + words, stored: uint32(times >> 32), expires: uint32(times), retry: uint16(sizes >> 48),
	}
}

// optRoom is the capacity, in bytes, that read adds for an OPT record with extended errors and a cookie.
const optRoom = 64

// put writes an entry. If there is already an entry with this hash, put replaces it.
func (s *shard) put(hash uint64, key, message []byte, e entry) {
	asked, content := len(key)-1, message[dnswire.HeaderSize:]
	if e.words = entryHeader + (len(content)+7)/8; e.words > s.per || len(content) > 0xffff {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version.Add(1)
	defer s.version.Add(1)
	to := smallQueue
	if at, used := s.locate(hash); at >= 0 {
		e.used = used
		s.unlink(hash, at)
	}
	if e.used > 0 || s.wasGhost(hash) {
		to = mainQueue
	}
	e.at = s.allocate(to, e.words, e.stored)
	w := s.words[e.at:][:e.words]
	w[0].Store(hash)
	w[1].Store(uint64(e.stored)<<32 | uint64(e.expires))
	w[2].Store(uint64(message[1])<<40 | uint64(key[asked])<<32 | uint64(asked)<<16 | uint64(len(content)))
	w[3].Store(uint64(dnswire.Flags(message))<<48 | binary.BigEndian.Uint64(message[4:])&(1<<48-1))
	storeBytes(w[entryHeader:], content)
	s.link(hash, e.used, e.at)
}

// holdDown records in the entry with a key that its next refresh has to wait until the time in the argument retry.
func (s *shard) holdDown(hash uint64, key []byte, retry uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := s.locate(hash)
	if at < 0 {
		return
	}
	if _, e := s.read(nil, at, key); e.words != 0 {
		sizes := s.words[at+2].Load()
		s.words[at+2].Store(sizes<<16>>16 | uint64(max(retry, 1))<<48)
	}
}

// flush removes the entries for a name and all names below it from the index, and returns their number. Their memory is
// used again after their segment was evicted.
func (s *shard) flush(name []byte) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.written() {
		w := s.words[at:]
		if isWithin(w[entryHeader:], int(w[2].Load()>>16&0xffff)-4, name) {
			if _, ok := s.unlink(w[0].Load(), at); ok {
				n++
			}
		}
	}
	return n
}

// isWithin reports whether a name is a zone or below it. The name has size bytes and is at the beginning of words.
func isWithin(words []atomic.Uint64, size int, zone []byte) bool {
	var buf [dnswire.MaxName + 8]byte
	for i := range (min(size, dnswire.MaxName) + 7) / 8 {
		binary.LittleEndian.PutUint64(buf[8*i:], words[i].Load())
	}
	return dnswire.IsWithin(buf[:max(size, 1)], zone)
}

// hasPrefix reports whether the words begin with the bytes b.
func hasPrefix(words []atomic.Uint64, b []byte) bool {
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

func storeBytes(words []atomic.Uint64, b []byte) {
	for i := range len(b) / 8 {
		words[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
	if rest := len(b) % 8; rest != 0 {
		words[len(b)/8].Store(tailWord(b[len(b)-rest:]))
	}
}

// tailWord returns a word that begins with the bytes b, which are fewer than eight.
func tailWord(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}
