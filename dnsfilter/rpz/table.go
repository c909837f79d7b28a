package rpz

import (
	"bufio"
)

const (
	bufferSize = 64 << 10
	tempPrefix = ".new-"
)

// recorder writes the items that it reads to a table, and returns them. It leaves out expired entries.
type recorder struct {
	from   itemReader
	out    *bufio.Writer
	buf    []byte
	at     int64 // Unix seconds; entries that have expired at this time are left out
	expiry int64 // earliest expiry of the other entries; 0: none expires
}

func (r *recorder) next() (item, error) {
	for {
		it, err := r.from.next()
		if err != nil {
			return nil, err
		}
		if it.expired(r.at) {
			continue
		}
		if end := it.expiry(); end != 0 && (r.expiry == 0 || end < r.expiry) {
			r.expiry = end
		}
		r.buf = appendFramed(r.buf[:0], it)
		_, err = r.out.Write(r.buf)
		return it, err
	}
}

// adopter reads the items of an old table that are taken over. It replaces the old indexes of their source and verdict
// by the new ones.
type adopter struct {
	from     itemReader
	sources  []int   // new index of each source, by old index; -1: the source's items are left out
	verdicts []uint8 // new index of each verdict, by old index
}

func (a *adopter) next() (item, error) {
	for {
		it, err := a.from.next()
		if err != nil {
			return nil, err
		}
		if it.source() >= len(a.sources) || a.sources[it.source()] < 0 || int(it.verdict()) >= len(a.verdicts) {
			continue
		}
		tail := it.tail()
		tail[1], tail[3] = byte(a.sources[it.source()]), a.verdicts[it.verdict()]
		return it, nil
	}
}
