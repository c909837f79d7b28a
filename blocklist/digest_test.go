package blocklist_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// The digest is compared with the sum that math/big computes from the definition.
func TestDigestIsTheSum(t *testing.T) {
	var d blocklist.Digest
	sum, modulus := new(big.Int), new(big.Int).Lsh(big.NewInt(1), 256)
	for i := range 1000 {
		line := []byte(strings.Repeat("x", i))
		hash := sha256.Sum256(line)
		sum.Add(sum, new(big.Int).SetBytes(hash[:])).Mod(sum, modulus)
		d.Add(line)
		require.Equal(t, hex.EncodeToString(sum.FillBytes(make([]byte, 32))), d.String(), "after %d lines", i+1)
	}
}

func TestDigestForgetsOrderAndRemoved(t *testing.T) {
	lines := []string{"a.example", "b.example", "c.example category=x", "=d.example"}
	var up, down blocklist.Digest
	for _, line := range lines {
		up.Add([]byte(line))
	}
	down.Remove([]byte("gone.example")) // below zero for a while
	for _, line := range slices.Backward(lines) {
		down.Add([]byte(line))
	}
	assert.NotEqual(t, up, down)
	down.Add([]byte("gone.example"))
	assert.Equal(t, up, down)
	for _, line := range lines {
		up.Remove([]byte(line))
	}
	assert.Equal(t, blocklist.Digest{}, up)
}

func TestDigestText(t *testing.T) {
	var d blocklist.Digest
	assert.Equal(t, strings.Repeat("0", 64), d.String())
	d.Add([]byte("abc"))
	assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", d.String()) // FIPS 180-2, B.1
	again, err := blocklist.ParseDigest(d.String())
	require.NoError(t, err)
	assert.Equal(t, d, again)
	for _, text := range []string{"", "ab", d.String() + "00", strings.ToUpper(d.String()), d.String()[1:] + "g", " " + d.String()} {
		_, err := blocklist.ParseDigest(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%q", text)
	}
}
