package formats

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// singleEntry records whether all entries of a list are the same entry.
type singleEntry struct {
	first  blocklist.Entry
	begun  bool
	varied bool
}

func (s *singleEntry) entry(e *blocklist.Entry) {
	if s.varied {
		return
	}
	if !s.begun {
		s.first, s.begun = *e, true
	}
	s.varied = e.Key() != s.first.Key()
}

// Limits beyond which a list is refused.
const (
	unusableShare = 4  // a list is refused if more than 1 in 4 records is unusable
	repetitions   = 20 // a list is refused if it has at least this many entries, and all are the same
)

// refuse returns an error if the list as a whole is not plausible in its format.
func refuse(f Format, t *lineSink, entries int, seen singleEntry) error {
	switch {
	case t.refusal != "":
		return fmt.Errorf("%w: %s", blocklist.ErrMalformed, t.refusal)
	case t.unusable*unusableShare > t.records:
		return fmt.Errorf("%w: %d of %d things in it are not %s (%s); name the format if it is another one",
			blocklist.ErrMalformed, t.unusable, t.records, f, reasons(t))
	case t.count(wildcardName)*unusableShare > t.records:
		return fmt.Errorf("%w: %d of %d things in it are wildcards (*.name), which do not cover the name itself here; "+
			"name the format dnscrypt, which reads them as the name and all below it",
			blocklist.ErrMalformed, t.count(wildcardName), t.records)
	case entries == 0 && t.records > 0:
		return fmt.Errorf("%w: no entries in it as %s (%s)", blocklist.ErrMalformed, f, reasons(t))
	case entries == 0:
		return fmt.Errorf("%w: it is empty", blocklist.ErrMalformed)
	case !seen.varied && entries >= repetitions:
		return fmt.Errorf("%w: %d times the same entry, %s", blocklist.ErrMalformed, entries, seen.first.Target())
	}
	return nil
}

// reasons returns the most frequent skip reasons, as text.
func reasons(t *lineSink) string {
	sorted := slices.SortedStableFunc(slices.Values(t.skipped), func(a, b Skip) int { return b.Count - a.Count })
	var out bytes.Buffer
	for i, s := range sorted[:min(3, len(sorted))] {
		if i > 0 {
			out.WriteString("; ")
		}
		fmt.Fprintf(&out, "%s: %d, first in line %d", s.Reason, s.Count, s.Lines[0])
		if s.Hint != "" {
			out.WriteString(": " + s.Hint)
		}
	}
	return out.String()
}
