package guard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/guard"
)

// A list of one's own may hold what belongs to one's own network, and nothing more than others do.
func TestOwn(t *testing.T) {
	g := newGuard(t, guard.Limits{})
	for line, holds := range map[string]bool{
		"lan": false, "=home": false, "internal": false, "192.168.1.0/24": false, "printer.lan": false,
		"com": true, "localhost": true, "co.uk": true, "0.0.0.0/0": true,
	} {
		assert.Equal(t, holds, len(g.Own().Entry(parse(t, line))) > 0, line)
	}
	for _, line := range []string{"lan", "192.168.1.0/24"} {
		assert.NotEmpty(t, g.Entry(parse(t, line)), line)
	}
}
