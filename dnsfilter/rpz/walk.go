package rpz

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// owner is an owner name of records in the zone: a name, or the wildcard below it.
type owner struct {
	key     []byte
	below   bool // it is the wildcard below the name
	verdict uint8
}

// compare compares owners in the order of a walk: a name, the wildcard below it, then the names below it.
func (o *owner) compare(other *owner) int {
	if c := bytes.Compare(o.key, other.key); c != 0 {
		return c
	}
	switch {
	case o.below == other.below:
		return 0
	case o.below:
		return 1
	}
	return -1
}

// walker converts sorted items to the owners of the zone's records, each with the verdict that applies to it. The first
// source that has a verdict decides, and within a source the most specific entry.
//
// It leaves out a name if the wildcard above the name already gives the same verdict for the name and all names below
// it. A wildcard does not cover names below another owner of the zone, nor below the parents of that owner (RFC 4592,
// section 2.2.1). So where a name below a listed domain has records of its own, the walker adds its parents up to that
// domain, with the verdict of the domain.
type walker struct {
	items   itemReader
	at      int64 // Unix seconds; entries that have expired at this time are left out
	sources int

	ahead   item
	err     error
	queue   []owner
	queued  int
	key     []byte  // key of the current group of items; the owners in queue refer to this memory
	listed  []level // listed domains or prefixes that contain the current key, largest first
	path    []byte  // key of the last owner with a wildcard
	emitted []int   // lengths of those prefixes of path that are keys of owners with a wildcard

	// Verdicts by source: none has only zeros, self has those on the current name, below those on the names below it.
	none, self, below []uint8
}

func newWalker(items itemReader, at int64, sources int) *walker {
	return &walker{items: items, at: at, sources: sources, none: make([]uint8, sources)}
}

// level is a listed domain or address prefix that contains the current key.
type level struct {
	key   []byte
	below []uint8 // verdicts by source on what the level contains; 0: none
}

// decide returns the verdict of the first source that has one, or 0.
func decide(by []uint8) uint8 {
	for _, v := range by {
		if v != 0 {
			return v
		}
	}
	return 0
}

// next returns the next owner. It returns io.EOF at the end. The owner is valid until the next call.
func (w *walker) next() (*owner, error) {
	for w.queued == len(w.queue) {
		w.queue, w.queued = w.queue[:0], 0
		if err := w.group(); err != nil {
			return nil, err
		}
	}
	w.queued++
	return &w.queue[w.queued-1], nil
}

// group reads the items of the next key, and adds the owners that result from them to the queue.
func (w *walker) group() error {
	if w.ahead == nil && w.err == nil {
		w.ahead, w.err = w.items.next()
	}
	if w.err != nil {
		return w.err
	}
	w.key = append(w.key[:0], w.ahead.key()...)
	ip := w.ahead.isIP()
	w.ascend(ip)
	top := w.top()
	w.self, w.below = append(w.self[:0], top...), append(w.below[:0], top...)
	if !w.readGroup(ip) {
		return w.failure()
	}
	if ip {
		w.addPrefix(decide(top), decide(w.self))
	} else {
		w.addName(decide(top), decide(w.self), decide(w.below))
	}
	if !slices.Equal(w.below, top) {
		w.push()
	}
	return w.failure()
}

// readGroup reads the items of the current key, and stores their verdicts in the fields self and below. It reports
// whether any of the entries has not expired.
func (w *walker) readGroup(ip bool) (listed bool) {
	for w.err == nil && bytes.Equal(w.ahead.key(), w.key) {
		if it := w.ahead; !it.expired(w.at) && it.source() < w.sources {
			listed = true
			w.self[it.source()] = it.verdict()
			if it.isDomain() || ip {
				w.below[it.source()] = it.verdict()
			}
		}
		w.ahead, w.err = w.items.next()
	}
	return listed
}

// push adds the current key to listed, with the verdicts in below.
func (w *walker) push() {
	n := len(w.listed)
	w.listed = slices.Grow(w.listed, 1)[:n+1]
	l := &w.listed[n]
	l.key, l.below = append(l.key[:0], w.key...), append(l.below[:0], w.below...)
}

// failure returns the error of the item reader. It returns nil for io.EOF, which next returns when the queue is empty.
func (w *walker) failure() error {
	if errors.Is(w.err, io.EOF) {
		return nil
	}
	return w.err
}

// ascend removes the levels from listed that do not contain the current key.
func (w *walker) ascend(ip bool) {
	for n := len(w.listed); n > 0 && !isAbove(w.listed[n-1].key, w.key, ip); n = len(w.listed) {
		w.listed = w.listed[:n-1]
	}
}

// isAbove reports whether the name or prefix of one key, the argument parent, contains the name or prefix of another.
func isAbove(parent, key []byte, ip bool) bool {
	if !ip || parent[0] != 0 {
		return bytes.HasPrefix(key, parent)
	}
	p, k := prefixOf(parent), prefixOf(key)
	return p.Bits() <= k.Bits() && p.Contains(k.Addr())
}

// top returns the verdicts of the smallest level that contains the current key.
func (w *walker) top() []uint8 {
	if len(w.listed) == 0 {
		return w.none
	}
	return w.listed[len(w.listed)-1].below
}

func (w *walker) addPrefix(above, self uint8) {
	if self != above {
		w.queue = append(w.queue, owner{key: w.key, verdict: self})
	}
}

func (w *walker) addName(above, self, below uint8) {
	if self == above && below == above {
		return
	}
	w.climb()
	if above != 0 {
		w.addBetween(above)
	}
	w.queue = append(w.queue, owner{key: w.key, verdict: self})
	if below != 0 {
		w.queue = append(w.queue, owner{key: w.key, below: true, verdict: below})
		w.emitted, w.path = append(w.emitted, len(w.key)), append(w.path[:0], w.key...)
	}
}

// climb removes the owners from emitted that are not above the current name.
func (w *walker) climb() {
	for n := len(w.emitted); n > 0 && !bytes.HasPrefix(w.key, w.path[:w.emitted[n-1]]); n = len(w.emitted) {
		w.emitted = w.emitted[:n-1]
	}
}

// addBetween adds those parents of the current name that are below the nearest owner with a wildcard. They get v, the
// verdict of that wildcard.
func (w *walker) addBetween(v uint8) {
	from := 0
	if n := len(w.emitted); n > 0 {
		from = w.emitted[n-1]
	}
	for i := from; i < len(w.key)-1; i++ {
		if w.key[i] != 0 {
			continue
		}
		parent := w.key[:i+1]
		w.queue = append(w.queue, owner{key: parent, verdict: v}, owner{key: parent, below: true, verdict: v})
		w.emitted = append(w.emitted, i+1)
	}
}
