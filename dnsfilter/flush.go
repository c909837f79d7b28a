package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"

	"github.com/argine-dns/argine/blocklist"
)

// Flush forgets the cached answers about a name and all names below it, of all types, and returns how many there were; "." stands
// for all names. Questions that wait for the upstream at this moment are kept when they are answered. A name that is none is
// [blocklist.ErrMalformed].
func (s *Server) Flush(name string) (n int, err error) {
	below := []byte{0}
	if name != "." {
		if below, err = blocklist.AppendName(nil, name); err != nil {
			return 0, err
		}
	}
	for i := range s.cache.shards {
		n += s.cache.shards[i].flush(below)
	}
	return n, nil
}

// flush takes the entries about a name, in wire form and lower case, and those below it out of the index; their memory is used again
// when the turn of their segment comes.
func (s *shard) flush(below []byte) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		for _, segment := range q {
			for at, end := segment*s.per, segment*s.per+s.used[segment]; at < end; {
				w := s.words[at:]
				sizes := w[2].Load()
				if isBelow(w[entryHeader:], int(sizes>>16&0xffff)-4, below) {
					if _, ok := s.forget(w[0].Load(), at); ok {
						n++
					}
				}
				at += entryHeader + int(sizes&0xffff+7)/8
			}
		}
	}
	return n
}

// isBelow reports whether words begin with a name of so many bytes that is another one, or below it.
func isBelow(words []atomic.Uint64, size int, other []byte) bool {
	var buf [blocklist.MaxName + 8]byte
	for i := range (min(size, blocklist.MaxName) + 7) / 8 {
		binary.LittleEndian.PutUint64(buf[8*i:], words[i].Load())
	}
	name := buf[:max(size, 1)]
	for len(name) > len(other) && name[0] != 0 {
		name = name[min(1+int(name[0]), len(name)):]
	}
	return bytes.Equal(name, other)
}
