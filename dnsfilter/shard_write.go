package dnsfilter

import (
	"encoding/binary"
	"sync/atomic"
)

// put makes an entry, in the place of the one with the same key.
func (s *shard) put(hash uint64, key, body []byte, e entry) {
	asked, content := len(key)-1, body[headerSize:]
	if e.words = entryHeader + (len(content)+7)/8; e.words > s.per || len(content) > 0xffff {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version.Add(1)
	defer s.version.Add(1)
	to := short
	if at, used := s.held(hash); at >= 0 {
		e.used = used
		s.forget(hash, at)
	}
	if e.used > 0 || s.wasGhost(hash) {
		to = main
	}
	e.at = s.room(to, e.words, e.stored)
	w := s.words[e.at:][:e.words]
	w[0].Store(hash)
	w[1].Store(uint64(e.stored)<<32 | uint64(e.expires))
	w[2].Store(uint64(body[1])<<40 | uint64(key[asked])<<32 | uint64(asked)<<16 | uint64(len(content)))
	w[3].Store(uint64(binary.BigEndian.Uint16(body[2:]))<<48 | binary.BigEndian.Uint64(body[4:])&(1<<48-1))
	storeBytes(w[entryHeader:], content)
	s.enter(hash, e.used, e.at)
}

// rest notes in an entry that a look-up has failed, and when the next may be tried.
func (s *shard) rest(hash uint64, key []byte, retry uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := s.held(hash)
	if at < 0 {
		return
	}
	if _, e := s.read(nil, at, key); e.words != 0 {
		sizes := s.words[at+2].Load()
		s.words[at+2].Store(sizes<<16>>16 | uint64(max(retry, 1))<<48)
	}
}

func storeBytes(words []atomic.Uint64, b []byte) {
	for i := range len(b) / 8 {
		words[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
	if rest := len(b) % 8; rest != 0 {
		words[len(b)/8].Store(tailWord(b[len(b)-rest:]))
	}
}

// held returns where the entry of a hash is, and how often it was used; -1 if there is none.
func (s *shard) held(hash uint64) (at int, used uint8) {
	for i, set := 0, s.set(hash); i < len(set); i++ {
		v := set[i].Load()
		if at := slotAt(v); at >= 0 && v>>34 == hash>>34 && s.words[at].Load() == hash {
			return at, slotUsed(v)
		}
	}
	return -1, 0
}

// forget takes the entry at a place out of the index, and returns how often it was used; false if it was not there.
func (s *shard) forget(hash uint64, at int) (used uint8, ok bool) {
	for i, set := 0, s.set(hash); i < len(set); i++ {
		if v := set[i].Load(); slotAt(v) == at && v>>34 == hash>>34 {
			set[i].Store(0)
			return slotUsed(v), true
		}
	}
	return 0, false
}

// enter puts an entry into the index. If all its places are taken, the one that was used least is lost.
func (s *shard) enter(hash uint64, used uint8, at int) {
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
	least.Store(slot(hash, used, at))
}

// room makes place for so many words at the end of a queue.
func (s *shard) room(to, words int, now uint32) int {
	q := &s.queues[to]
	if n := len(*q); n == 0 || s.used[(*q)[n-1]]+words > s.per {
		taken := s.take(now)
		*q = append(*q, taken)
	}
	segment := (*q)[len(*q)-1]
	at := segment*s.per + s.used[segment]
	s.used[segment] += words
	return at
}

// take returns an empty segment.
func (s *shard) take(now uint32) int {
	for i := 0; ; i++ {
		if n := len(s.free); n > 0 {
			segment := s.free[n-1]
			s.free = s.free[:n-1]
			s.used[segment] = 0
			return segment
		}
		s.empty(now, i < fullCircle)
	}
}

// empty frees the oldest segment of one queue. If anything is to be spared, entries that were used move to the main queue,
// marked as used once less.
func (s *shard) empty(now uint32, spare bool) {
	from := main
	if len(s.queues[short]) > max(1, len(s.used)/10) || len(s.queues[main]) == 0 {
		from = short
	}
	segment := s.queues[from][0]
	s.queues[from] = append(s.queues[from][:0], s.queues[from][1:]...)
	s.free = append(s.free, segment)
	s.spare = s.spare[:0]
	first := segment * s.per
	for at, end := first, first+s.used[segment]; at < end; {
		w := s.words[at:]
		hash, expires := w[0].Load(), uint32(w[1].Load())
		words := entryHeader + int(w[2].Load()&0xffff+7)/8
		switch used, ok := s.forget(hash, at); {
		case ok && used > 0 && spare && now < expires:
			s.spare = append(s.spare, uint64(used-1))
			for i := range words {
				s.spare = append(s.spare, w[i].Load())
			}
		case ok && used == 0 && from == short:
			s.ghosts[hash%uint64(len(s.ghosts))] = ghost(hash)
		}
		at += words
	}
	s.moveSpared(now)
}

// moveSpared puts what was spared into the main queue. It came from one segment, so the one that was freed is enough.
func (s *shard) moveSpared(now uint32) {
	for spared := s.spare; len(spared) > 0; {
		used, hash, words := uint8(spared[0]), spared[1], entryHeader+int(spared[3]&0xffff+7)/8
		at := s.room(main, words, now)
		for i, v := range spared[1 : 1+words] {
			s.words[at+i].Store(v)
		}
		s.enter(hash, used, at)
		spared = spared[1+words:]
	}
}

func ghost(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// wasGhost reports whether an answer was driven out of the short queue not long ago, and forgets it.
func (s *shard) wasGhost(hash uint64) bool {
	g := &s.ghosts[hash%uint64(len(s.ghosts))]
	if *g != ghost(hash) {
		return false
	}
	*g = 0
	return true
}
