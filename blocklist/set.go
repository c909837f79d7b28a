package blocklist

import (
	"encoding/binary"
	"runtime"
)

// set is one list compiled for lookup: a Bloom filter in front of a sorted table of digests. It is immutable, and
// lies in one mapped file; of the table only the pages that a hit needs are ever touched.
type set struct {
	secret *secret
	filter *bloomFilter
	index  []uint32 // table rows before each bucket, and their total; the bucket of a row is its first bits
	shift  uint     // 64 less the number of those bits
	table  []byte   // rows of 16 bytes
	number []byte   // number of each row's attributes, header.Width bytes each
	infos  []matchInfo
	path   string
	header setHeader
}

const rowSize = 16

// find returns the attributes of an entry; nil where there is no such entry.
func (s *set) find(scope Scope, key []byte, hash uint64) *matchInfo {
	if !s.filter.mayContain(hash) {
		return nil
	}
	return s.at(s.secret.tableKey(scope, key))
}

// at returns the attributes of a row; nil where there is no such row.
func (s *set) at(k tableKey) *matchInfo {
	bucket := k.hi >> s.shift
	end := min(s.index[bucket+1], uint32(s.header.Rows)) // whatever the file says, nothing outside of it is read
	for row := s.index[bucket]; row < end; row++ {
		if s.row(row) == k {
			a := &s.infos[min(int(s.infoNumber(row)), len(s.infos)-1)]
			runtime.KeepAlive(s) // the mapping lives as long as its set
			return a
		}
	}
	runtime.KeepAlive(s)
	return nil
}

func (s *set) row(i uint32) tableKey {
	return decodeKey(s.table[int(i)*rowSize:])
}

func (s *set) infoNumber(row uint32) uint32 {
	switch s.header.Width {
	case 1:
		return uint32(s.number[row])
	case 2:
		return uint32(binary.LittleEndian.Uint16(s.number[2*uint64(row):]))
	case 4:
		return binary.LittleEndian.Uint32(s.number[4*uint64(row):])
	}
	return 0
}
