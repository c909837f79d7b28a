package formats

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// ownMagic begins the lists that Write makes of our own lines, so that they are known again.
const ownMagic = "# argine entries"

// parseArgine reads one of our own lines.
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
