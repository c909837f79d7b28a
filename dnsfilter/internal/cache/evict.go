package cache

// S3-FIFO in segments: the memory of a shard is cut into segments that are filled one after the other and evicted as a
// whole. New answers go through the small queue of segments. Those that were asked for again meanwhile move to the main
// queue, where they stay as long as they are asked for. The hashes of the others are kept as ghosts, and one that comes
// back goes to the main queue at once. So a scan of names that are asked for once evicts nothing that is asked for
// often.

// queue is a queue of segments: the oldest first, the one being filled last.
type queue []int

const (
	smallQueue = iota // for what is new
	mainQueue         // for what has been asked for again
)

// maxReinserting is how many segments may be evicted for one answer before used entries are lost as well.
const maxReinserting = 8

// allocate returns where a number of words can be written, at the end of a queue.
func (s *shard) allocate(to, words int, now uint32) int {
	q := &s.queues[to]
	if n := len(*q); n == 0 || s.used[(*q)[n-1]]+words > s.per {
		segment := s.freeSegment(now)
		*q = append(*q, segment)
	}
	segment := (*q)[len(*q)-1]
	at := segment*s.per + s.used[segment]
	s.used[segment] += words
	return at
}

// freeSegment returns an empty segment.
func (s *shard) freeSegment(now uint32) int {
	for i := 0; ; i++ {
		if n := len(s.free); n > 0 {
			segment := s.free[n-1]
			s.free = s.free[:n-1]
			s.used[segment] = 0
			return segment
		}
		s.evict(now, i < maxReinserting)
	}
}

// evict frees the oldest segment of one queue. Entries that were used move to the main queue, marked as used once less,
// if they may.
func (s *shard) evict(now uint32, reinsert bool) {
	from := mainQueue
	if len(s.queues[smallQueue]) > max(1, len(s.used)/10) || len(s.queues[mainQueue]) == 0 {
		from = smallQueue
	}
	segment := s.queues[from][0]
	s.queues[from] = append(s.queues[from][:0], s.queues[from][1:]...)
	s.free = append(s.free, segment)
	s.survivors = s.survivors[:0]
	first := segment * s.per
	for at, end := first, first+s.used[segment]; at < end; {
		w := s.words[at:]
		hash, expires := w[0].Load(), uint32(w[1].Load())
		words := entryHeader + int(w[2].Load()&0xffff+7)/8
		switch used, ok := s.unlink(hash, at); {
		case ok && used > 0 && reinsert && now < expires:
			s.survivors = append(s.survivors, uint64(used-1))
			for i := range words {
				s.survivors = append(s.survivors, w[i].Load())
			}
		case ok && used == 0 && from == smallQueue:
			s.ghosts[hash%uint64(len(s.ghosts))] = ghost(hash)
		}
		at += words
	}
	s.reinsert(now)
}

// reinsert puts the survivors into the main queue. They come from one segment, so the one that was freed is enough.
func (s *shard) reinsert(now uint32) {
	for rest := s.survivors; len(rest) > 0; {
		used, hash, words := uint8(rest[0]), rest[1], entryHeader+int(rest[3]&0xffff+7)/8
		at := s.allocate(mainQueue, words, now)
		for i, v := range rest[1 : 1+words] {
			s.words[at+i].Store(v)
		}
		s.link(hash, used, at)
		rest = rest[1+words:]
	}
}

func ghost(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// wasGhost reports whether an answer was evicted from the small queue not long ago, and forgets it.
func (s *shard) wasGhost(hash uint64) bool {
	g := &s.ghosts[hash%uint64(len(s.ghosts))]
	if *g != ghost(hash) {
		return false
	}
	*g = 0
	return true
}
