package formats

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// ownMagic is the first line of a list that Write writes in Argine's own format. Readers recognize the format by this
// line.
const ownMagic = "# argine entries"

// parseArgine parses a line of Argine's own format.
func parseArgine(t *lineSink, line string) {
	if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
		return
	}
	e, err := blocklist.ParseEntry(line)
	if target := strings.Fields(line)[0]; err != nil && strings.Contains(target, "://") && hasFragment(target) {
		t.skip(withFragment)
		return
	}
	switch n, named := e.Name(); {
	case err != nil && line[0] == '.':
		t.bad(leadingDot)
	case err != nil:
		t.bad("not an entry")
	case t.guessed && named && n.Labels() < 2 && e.Attributes == blocklist.Attributes{}:
		t.bad(oneLabel)
	default:
		t.add(e)
	}
}
