package blocklist

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set of more bytes than a program can address is refused before anything is mapped.
func TestSetBeyondTheAddressSpace(t *testing.T) {
	h := setHeader{Rows: 1 << 31, Blocks: 1}
	copy(h.Magic[:], setMagic)
	_, err := openSetBytes(h.encode())
	want := ErrDamaged // cut short
	if math.MaxInt == math.MaxInt32 {
		want = ErrTooLarge
	}
	require.ErrorIs(t, err, want)
}
