package desk

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/argine-dns/argine/blocklist/publish"
)

// haystack has all texts of one kind as a single text, for searches by any part of them: an index of the ledger can
// only find the beginning. It takes 16 bytes for each text in addition to the text itself. Since the texts never
// change, only new ones are read from the ledger.
type haystack struct {
	kind publish.TextKind

	mu     sync.Mutex
	of     *publish.Ledger
	cursor int64
	text   []byte // the texts in lower case, each followed by a line end
	ends   []int  // offset of the end of each text
	ids    []int64
}

// maxFound is the maximum number of proposals that a search by a part of a text returns. It returns the newest ones.
const maxFound = 5000

// find returns the IDs of the texts that contain part, newest first. It returns at most limit IDs, and reports whether
// there are more.
func (h *haystack) find(ctx context.Context, l *publish.Ledger, part string, limit int) (
	ids []int64, more bool, err error,
) {
	return h.findMost(ctx, l, needle{part: part}, limit)
}

// findReason is find for operations and for decisions on proposals whose reason contains part. If below is not 0, it
// returns only IDs below that one.
func (h *haystack) findReason(ctx context.Context, l *publish.Ledger, part string, limit int, below int64) (
	ids []int64, more bool, err error,
) {
	return h.findMost(ctx, l, needle{part, true, below}, limit)
}

// needle is what is searched in a haystack.
type needle struct {
	part    string
	inFirst bool  // only in the first field of a text
	below   int64 // only texts whose ID is below this one; 0: all
}

func (h *haystack) findMost(ctx context.Context, l *publish.Ledger, n needle, limit int) (
	ids []int64, more bool, err error,
) {
	text, ends, all, err := h.read(ctx, l)
	if err != nil || n.part == "" || strings.Contains(n.part, "\n") {
		return nil, false, err
	}
	const together = 4096
	seen := map[int64]bool{}
	to := len(all)
	if n.below > 0 {
		to, _ = slices.BinarySearch(all, n.below)
	}
	for ; to > 0 && len(ids) <= limit; to = max(to-together, 0) {
		for _, id := range findIn(text, ends, all, max(to-together, 0), to, n) {
			if !seen[id] {
				seen[id], ids = true, append(ids, id)
			}
		}
	}
	return ids[:min(len(ids), limit)], len(ids) > limit, nil
}

// fieldEnd separates the fields of a text, see [publish.TextKind].
const fieldEnd = 31

// findIn returns the IDs of the texts that contain the needle, newest first. It searches the texts with the indexes
// from first to last-1. The argument all has the IDs of all texts.
func findIn(text []byte, ends []int, all []int64, first, last int, needle needle) (ids []int64) {
	at, part := 0, []byte(needle.part)
	if first > 0 {
		at = ends[first-1]
	}
	for at < ends[last-1] {
		i := bytes.Index(text[at:ends[last-1]], part)
		if i < 0 {
			break
		}
		n := sort.SearchInts(ends[first:last], at+i+1) + first
		begin := 0
		if n > 0 {
			begin = ends[n-1]
		}
		if !needle.inFirst || bytes.IndexByte(text[begin:at+i+len(part)], fieldEnd) < 0 {
			ids = append(ids, all[n])
		}
		at = ends[n]
	}
	slices.Reverse(ids)
	return ids
}

// read adds the new texts, and returns all texts. The returned slices may be read without the lock: later calls only
// append.
func (h *haystack) read(ctx context.Context, l *publish.Ledger) (text []byte, ends []int, ids []int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of != l {
		h.of, h.cursor, h.text, h.ends, h.ids = l, 0, nil, nil, nil
	}
	for t, err := range l.Texts(ctx, h.kind, h.cursor) {
		if err != nil {
			return nil, nil, nil, err
		}
		if h.cursor = t.Cursor; t.Text != "" {
			h.text = append(append(h.text, strings.ToLower(t.Text)...), '\n')
			h.ends, h.ids = append(h.ends, len(h.text)), append(h.ids, t.ID)
		}
	}
	return h.text, h.ends, h.ids, nil
}
