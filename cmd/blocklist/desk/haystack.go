package desk

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// haystack has the targets of all proposals as one text, to search for a part of a target: an index of the ledger can
// only find a whole target. It takes about 40 octets for each proposal. Targets never change, so only those of new
// proposals are read from the ledger.
type haystack struct {
	mu   sync.Mutex
	of   *publish.Ledger
	text []byte // the targets in lower case, each followed by a line end
	ends []int  // offset of the end of each target
	ids  []int64
}

// maxFound is the maximum number of proposals that a search for a part of a target returns. These are the newest.
const maxFound = 5000

// find returns the proposals whose target contains part, newest first, and whether there are more than [maxFound].
func (h *haystack) find(ctx context.Context, l *publish.Ledger, part string) (ids []int64, more bool, err error) {
	text, ends, all, err := h.read(ctx, l)
	if err != nil || strings.Contains(part, "\n") {
		return nil, false, err
	}
	const together = 4096
	for to := len(all); to > 0 && len(ids) <= maxFound; to = max(to-together, 0) {
		from := max(to-together, 0)
		ids = append(ids, findIn(text, ends, all, from, to, []byte(part))...)
	}
	return ids[:min(len(ids), maxFound)], len(ids) > maxFound, nil
}

// findIn returns the IDs of the targets that contain part, newest first. It searches the targets with index from up to,
// but not including, to.
func findIn(text []byte, ends []int, all []int64, from, to int, part []byte) (ids []int64) {
	at := 0
	if from > 0 {
		at = ends[from-1]
	}
	for at < ends[to-1] {
		i := bytes.Index(text[at:ends[to-1]], part)
		if i < 0 {
			break
		}
		n := sort.SearchInts(ends[from:to], at+i+1) + from
		ids, at = append(ids, all[n]), ends[n]
	}
	slices.Reverse(ids)
	return ids
}

// read reads the targets of new proposals, and returns all targets. The returned slices are never changed later.
func (h *haystack) read(ctx context.Context, l *publish.Ledger) (text []byte, ends []int, ids []int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of != l {
		h.of, h.text, h.ends, h.ids = l, nil, nil, nil
	}
	last := int64(0)
	if n := len(h.ids); n > 0 {
		last = h.ids[n-1]
	}
	for t, err := range proposal.Targets(ctx, l, last) {
		if err != nil {
			return nil, nil, nil, err
		}
		h.text = append(append(h.text, strings.ToLower(t.Target)...), '\n')
		h.ends, h.ids = append(h.ends, len(h.text)), append(h.ids, t.ID)
	}
	return h.text, h.ends, h.ids, nil
}
