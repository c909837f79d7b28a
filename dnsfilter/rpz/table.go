package rpz

import (
	"bufio"
)

const (
	bufferSize = 64 << 10
	tempPrefix = ".new-"
)

// recorder passes items on and writes them to a table.
type recorder struct {
	from   itemReader
	out    *bufio.Writer
	buf    []byte
	at     int64 // time of the table, in Unix seconds
	expiry int64 // the first expiry after that; 0: none
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

// adopter reads those items of an old table whose sources have not changed. It gives them the numbers that their source
// and verdict have now.
type adopter struct {
	from     itemReader
	sources  []int   // by old number; -1: the source's items do not stay
	verdicts []uint8 // by old number
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
