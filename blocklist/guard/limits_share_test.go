package guard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// A share can't be mistaken for another a hundred times as large.
func TestParseShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"20%": 0.2, "0.2": 0.2, " 5 %": 0.05, "1000%": 10, "0.5%": 0.005, "100%": 1, ".5": 0.5} {
		got, err := guard.ParseShare(text)
		require.NoError(t, err, text)
		assert.InDelta(t, want, got, 1e-12, text)
	}
	for _, text := range []string{"20", "1", "1.0", "5.5"} {
		_, err := guard.ParseShare(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.ErrorContains(t, err, "write it with a percent sign, like "+text+"%")
	}
	for _, text := range []string{"", "%", "0", "0%", "-5%", "much", "1e1%", "0x10%", "1_0%", "inf", "nan%", "9999999999%"} {
		_, err := guard.ParseShare(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
	}
}
