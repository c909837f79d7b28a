package rpz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// Limits of the journal of a zone. A secondary gets the whole zone if its serial is not in the journal, or if a change
// was larger.
const (
	maxDiff        = 4 << 20  // maximum size of one difference, in bytes
	maxJournal     = 16 << 20 // maximum size of all differences, in bytes
	maxDifferences = 200
)

// differ collects the records that are removed and added from one snapshot to the next, in wire form.
type differ struct {
	removed, added []byte
	changed        bool
	tooLarge       bool
}

// compare returns the difference between the current and the next snapshot, and counts the records of the next one.
func (b *build) compare(items itemReader) (*differ, error) {
	d := &differ{}
	next := newWalker(items, b.next.At, len(b.next.Sources))
	if b.old == nil {
		return d, b.count(next)
	}
	was, now := &side{walker: b.old.walk()}, &side{walker: next}
	for {
		if err := errors.Join(was.fill(), now.fill()); err != nil {
			return nil, err
		}
		if was.owner == nil && now.owner == nil {
			return d, nil
		}
		c := was.order(now)
		if now.owner != nil && c >= 0 {
			b.next.Records += uint64(len(b.next.Verdicts[now.owner.verdict].Records))
		}
		if c == 0 && saysSame(&b.old.Verdicts[was.owner.verdict], &b.next.Verdicts[now.owner.verdict]) {
			was.owner, now.owner = nil, nil
			continue
		}
		if c <= 0 {
			d.removed = d.add(d.removed, was.owner, b.old.Verdicts)
			was.owner = nil
		}
		if c >= 0 {
			d.added = d.add(d.added, now.owner, b.next.Verdicts)
			now.owner = nil
		}
	}
}

// count counts the records of the first snapshot of a zone.
func (b *build) count(w *walker) error {
	for {
		o, err := w.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		b.next.Records += uint64(len(b.next.Verdicts[o.verdict].Records))
	}
}

// side is one of the two snapshots in a comparison.
type side struct {
	walker *walker
	owner  *owner // the next owner; nil: it is not read yet, or there are no more
	ended  bool
}

func (s *side) fill() error {
	if s.owner != nil || s.ended {
		return nil
	}
	o, err := s.walker.next()
	if errors.Is(err, io.EOF) {
		s.ended = true
		return nil
	}
	s.owner = o
	return err
}

// order compares the next owners of two sides. A side without further owners comes last.
func (s *side) order(other *side) int {
	switch {
	case s.owner == nil:
		return 1
	case other.owner == nil:
		return -1
	}
	return s.owner.compare(other.owner)
}

// add appends the records of an owner to dst. If the difference becomes too large, it discards all records.
func (d *differ) add(dst []byte, o *owner, verdicts []verdict) []byte {
	d.changed = true
	if d.tooLarge {
		return nil
	}
	for _, r := range verdicts[o.verdict].Records {
		dst = appendRecord(dst, o, r)
	}
	if len(d.removed)+len(d.added)+len(dst) > maxDiff {
		d.tooLarge, d.removed, d.added = true, nil, nil
		return nil
	}
	return dst
}

// toZone is a compression pointer to the name in the question of a message. In a transfer, that is the name of the
// zone.
const toZone = "\xc0\x0c"

// appendRecord appends a record and its owner name in wire form.
func appendRecord(dst []byte, o *owner, d data) []byte {
	if o.below {
		dst = append(dst, 1, '*')
	}
	if o.key[0] == 0 {
		name, _ := formats.RPZTrigger(blocklist.IPEntry(prefixOf(o.key)), "\x00")
		dst = append(dst, name[:len(name)-1]...)
	} else {
		dst = appendOwner(dst, o.key)
	}
	return append(append(dst, toZone...), d...)
}

// addDifference writes a difference to a file and adds it to the journal. If the journal is too long then, it loses its
// oldest differences. If the difference itself is too large, addDifference empties the journal.
func (s *snapshot) addDifference(old *snapshot, d *differ) error {
	if d.tooLarge {
		s.Journal = nil
		return nil
	}
	file := binary.BigEndian.AppendUint32(nil, uint32(len(d.removed)))
	file = append(append(file, d.removed...), d.added...)
	entry := difference{
		From: old.Serial, To: s.Serial, File: fmt.Sprintf("%s%d-%d", diffPrefix, old.Serial, s.Serial), Size: int64(len(file)),
		FromDigest: old.Digest, ToDigest: s.Digest,
	}
	if err := writeFile(filepath.Join(s.dir, entry.File), file); err != nil {
		return err
	}
	s.Journal = append(slices.Clone(s.Journal), entry)
	size := int64(0)
	for _, e := range s.Journal {
		size += e.Size
	}
	for size > maxJournal || len(s.Journal) > maxDifferences {
		size -= s.Journal[0].Size
		s.Journal = s.Journal[1:]
	}
	return nil
}
