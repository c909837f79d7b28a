package rpz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"maps"

	"github.com/argine-dns/argine/blocklist"
)

// changer applies sorted changes to sorted items. A change with the verdict removal removes the entry. Any other change
// adds or replaces it.
type changer struct {
	items, changes itemReader
	held, change   item
	errHeld        error
	errChange      error
}

// removal is the verdict of a change that removes an entry.
const removal = 0

func (c *changer) next() (item, error) {
	for {
		if c.held == nil && c.errHeld == nil {
			c.held, c.errHeld = c.items.next()
		}
		if c.change == nil && c.errChange == nil {
			c.change, c.errChange = c.changes.next()
		}
		for _, err := range []error{c.errHeld, c.errChange} {
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
		}
		order := c.order()
		var out item
		switch {
		case c.held == nil && c.change == nil:
			return nil, io.EOF
		case order < 0:
			out, c.held = c.held, nil
			return out, nil
		case order == 0:
			c.held = nil
		}
		if out, c.change = c.change, nil; out.verdict() != removal {
			return out, nil
		}
	}
}

// order compares the targets of the next item and the next change. It returns a negative number if the item comes
// first, and 0 if the targets are equal.
func (c *changer) order() int {
	switch {
	case c.held == nil:
		return 1
	case c.change == nil:
		return -1
	}
	return bytes.Compare(c.held.target(), c.change.target())
}

// readChanges reads and sorts the changes of a source since the current snapshot. It returns false if the source does
// not know them: then all its entries have to be read.
func (b *build) readChanges(ctx context.Context, i int, old sourceInfo,
	version string,
) (info sourceInfo, ok bool, err error) {
	src := &b.config.Sources[i]
	since, same := src.before(i, old.Version)
	if src.Changes == nil || !same {
		return info, false, nil
	}
	changes, ok := src.Changes(since)
	if !ok {
		return info, false, nil
	}
	r := changeReader{build: b, source: i, info: sourceInfo{List: old.List, Version: version, Entries: old.Entries}}
	r.sorter.dir, r.info.Unsaid = b.dir, maps.Clone(old.Unsaid)
	if r.info.Unsaid == nil {
		r.info.Unsaid = map[string]uint64{}
	}
	err = errors.Join(r.read(ctx, changes), src.unchanged(i, version))
	if err != nil {
		return info, false, errors.Join(err, r.sorter.close())
	}
	b.changes = append(b.changes, &r.sorter)
	return r.info, true, nil
}

// changeReader converts the changes of a list to sorted items. If a list removes an entry and adds it again, only the
// addition remains.
type changeReader struct {
	build  *build
	source int
	info   sourceInfo
	sorter sorter
	last   item
}

func (r *changeReader) read(ctx context.Context, changes iter.Seq2[blocklist.Change, error]) error {
	n := 0
	for c, err := range changes {
		if n++; n%checkEvery == 0 && err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.add(&c)
		}
		if err != nil {
			return err
		}
	}
	return r.flush()
}

func (r *changeReader) add(c *blocklist.Change) error {
	verdict, why, err := r.build.judge(r.source, &c.Entry)
	if err != nil {
		return err
	}
	one := uint64(1)
	if c.Removed {
		one = ^uint64(0)
		verdict, c.Entry.Attributes = removal, blocklist.Attributes{}
	}
	if why != "" {
		r.info.Unsaid[why] += one
		if r.info.Unsaid[why] == 0 {
			delete(r.info.Unsaid, why)
		}
		return nil
	}
	r.info.Entries += one
	next := appendItem(nil, &c.Entry, r.source, verdict)
	if r.last != nil && !bytes.Equal(r.last.target(), next.target()) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.last = next
	return nil
}

func (r *changeReader) flush() error {
	if r.last == nil {
		return nil
	}
	return r.sorter.add(r.last)
}

// changed applies the changes of all sources to the items that are taken over.
func (b *build) changed(kept itemReader) (itemReader, error) {
	changes := &runMerger{}
	for _, s := range b.changes {
		r, err := s.sorted()
		if err != nil {
			return nil, err
		}
		changes.runs = append(changes.runs, r)
	}
	if len(changes.runs) == 0 {
		return kept, nil
	}
	return &changer{items: kept, changes: changes}, nil
}
