package cache

// S3-FIFO with segments: the memory of a shard consists of segments, which are filled one after another and evicted as
// a whole. New answers enter the small queue. When their segment is evicted, answers that were used move to the main
// queue, and stay there as long as they are used. Of the other answers, only the hash is kept, as a ghost. An answer
// with a ghost enters the main queue at once when it is stored again. So a scan of names that are queried once evicts
// no popular answers.

// queue is a queue of segments, the oldest first. New entries go into the last segment.
type queue []int

const (
	smallQueue = iota // queue for new answers
	mainQueue         // queue for answers that were used
)

// maxReinserting is the maximum number of evictions that keep used entries until a segment is free. Further evictions
// remove used entries, too.
const maxReinserting = 8

// allocate reserves a number of words at the end of a queue (smallQueue or mainQueue). It returns their position.
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

// freeSegment returns an empty segment. If there is none, it evicts one.
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

// evict removes the oldest segment of one of the two queues, and frees it. If reinsert is true, it moves the used
// entries of the segment to the main queue, with their use counter reduced by one.
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
		used, ok := s.unlink(hash, at)
		if ok {
			s.evicted++ // reinsert takes it back
		}
		switch {
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

// reinsert writes the survivors to the main queue. Survivors are the used entries of the segment that was just evicted.
// They need at most one segment, so the freed segment suffices.
func (s *shard) reinsert(now uint32) {
	for rest := s.survivors; len(rest) > 0; {
		used, hash, words := uint8(rest[0]), rest[1], entryHeader+int(rest[3]&0xffff+7)/8
		at := s.allocate(mainQueue, words, now)
		for i, v := range rest[1 : 1+words] {
			s.words[at+i].Store(v)
		}
		s.link(hash, used, at)
		s.evicted--
		rest = rest[1+words:]
	}
}

func ghost(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// wasGhost reports whether a hash is a ghost: its answer was recently evicted from the small queue. After the call, the
// hash is no ghost any more.
func (s *shard) wasGhost(hash uint64) bool {
	g := &s.ghosts[hash%uint64(len(s.ghosts))]
	if *g != ghost(hash) {
		return false
	}
	*g = 0
	return true
}
