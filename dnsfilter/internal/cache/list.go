package cache

import (
	"encoding/binary"
	"iter"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Answer is a cached answer.
type Answer struct {
	Key     []byte // key given to Put
	Message []byte // message given to Put, with its original TTLs
	Expires int64  // seconds until the answer expires; negative: seconds since it expired
	State   State
}

// Stats has the size and the use of a cache.
type Stats struct {
	Limit   int64  // maximum memory for answers, in bytes
	Used    int64  // memory in use for answers, in bytes
	Answers int    // number of cached answers, including expired ones
	Evicted uint64 // number of answers removed for new ones since the cache was created
}

// Stats returns the size and the use of the cache.
func (c *Cache) Stats() (all Stats) {
	for i := range c.shards {
		c.shards[i].addTo(&all)
	}
	return all
}

func (s *shard) addTo(all *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		for _, segment := range q {
			all.Used += int64(s.used[segment]) * 8
		}
	}
	all.Limit += int64(len(s.words)) * 8
	all.Answers += s.linked
	all.Evicted += s.evicted
}

// List returns the answers of all types for a name, which is in lower-case wire form. It searches the whole cache. It
// does not change the use counters.
func (c *Cache) List(name []byte, now uint32) (all []Answer) {
	for i := range c.shards {
		all = c.shards[i].appendList(all, name, now, c.maxStale.Load())
	}
	return all
}

func (s *shard) appendList(all []Answer, name []byte, now, maxStale uint32) []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.written() {
		key := s.keyAt(at)
		if len(key) < 5 || string(key[:len(key)-5]) != string(name) || !s.isLinked(at) {
			continue
		}
		m, e := s.read(nil, at, key)
		if state := e.state(now, maxStale); state != NotFound {
			copy(m[dnswire.HeaderSize:], key[:len(key)-1])
			all = append(all, Answer{key, m, int64(e.expires) - int64(now), state})
		}
	}
	return all
}

// written yields the positions of all entries in the segments, including those that are no longer in the index.
func (s *shard) written() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, q := range s.queues {
			for _, segment := range q {
				for at, end := segment*s.per, segment*s.per+s.used[segment]; at < end; {
					next := at + entryHeader + int(s.words[at+2].Load()&0xffff+7)/8
					if !yield(at) {
						return
					}
					at = next
				}
			}
		}
	}
}

// keyAt returns the key of the entry at a position.
func (s *shard) keyAt(at int) []byte {
	sizes := s.words[at+2].Load()
	asked := int(sizes >> 16 & 0xffff)
	key := make([]byte, 0, asked+8)
	for i := range (asked + 7) / 8 {
		key = binary.LittleEndian.AppendUint64(key, s.words[at+entryHeader+i].Load())
	}
	return append(key[:asked], byte(sizes>>32))
}

// isLinked reports whether the entry at a position is in the index.
func (s *shard) isLinked(at int) bool {
	set := s.set(s.words[at].Load())
	for i := range set {
		if v := set[i].Load(); v != 0 && slotAt(v) == at {
			return true
		}
	}
	return false
}
