package blocklist_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// What FORMAT.md shows is what the code does.
func TestFormatDocument(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	require.NoError(t, err)
	doc := string(text)

	rows := regexp.MustCompile("(?m)^\\| `(.+?)` \\| `(.+?)` \\|$").FindAllStringSubmatch(doc, -1)
	require.Len(t, rows, 19)
	for _, row := range rows {
		if len(row[2]) == 64 {
			sum := sha256.Sum256([]byte(row[1]))
			assert.Equal(t, row[2], hex.EncodeToString(sum[:]), "%s", row[1])
			continue
		}
		e, err := blocklist.ParseEntry(row[1])
		require.NoError(t, err)
		assert.Equal(t, row[2], e.String(), "%s", row[1])
	}

	scopes := regexp.MustCompile("(?m)^\\| (`.+`) \\| (domain|host|url|ip) \\|").FindAllStringSubmatch(doc, -1)
	require.Len(t, scopes, 8)
	for _, row := range scopes {
		for target := range strings.SplitSeq(row[1], ", ") {
			e, err := blocklist.ParseEntry(strings.Trim(target, "`"))
			require.NoError(t, err)
			assert.Equal(t, row[2], e.Scope.String())
			assert.Equal(t, "`"+e.Target()+"`", target)
		}
	}

	releases := regexp.MustCompile("(?s)```\n(argine-release: .*?)```").FindAllStringSubmatch(doc, -1)
	require.Len(t, releases, 2)
	var held blocklist.Header
	for _, block := range releases {
		h, changes, err := readRelease(strings.NewReader(block[1]), held)
		require.NoError(t, err)
		assert.Equal(t, block[1], writeRelease(t, h, changes))
		held = h
	}
}
