package blocklist

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzSetFile changes eight bytes of a set and makes its checksums right again: no matter who made a file, asking it
// neither panics nor reads outside of it.
func FuzzSetFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "set")
	err := BuildSet(path, "it.example/test", func(yield func(Entry, error) bool) {
		for _, line := range []string{"example.org ref=1", "=host.test category=a", "https://site.test/a/*", "192.0.2.0/24", "2001:db8::/32"} {
			if !yield(ParseEntry(line)) {
				return
			}
		}
	})
	require.NoError(f, err)
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	for at := uint32(16); at < 120; at += 8 {
		f.Add(at, uint64(0xffffffff))
	}
	for at := uint32(len(whole) - 5*pageSize); at < uint32(len(whole)); at += pageSize {
		f.Add(at, ^uint64(0))
	}
	f.Fuzz(func(t *testing.T, at uint32, word uint64) {
		b := append([]byte(nil), whole...)
		binary.LittleEndian.PutUint64(b[int(at)%(len(b)-8):], word)
		sumAt := binary.Size(setHeader{}) - MaxListName - 4
		binary.LittleEndian.PutUint32(b[sumAt:], crc32.Checksum(b[pageSize:], castagnoli()))
		binary.LittleEndian.PutUint32(b[pageSize-4:], crc32.Checksum(b[:pageSize-4], castagnoli()))
		path := filepath.Join(t.TempDir(), "set")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		s, err := OpenSet(path)
		if err != nil {
			return
		}
		for _, url := range []string{"http://www.example.org/", "http://host.test/", "https://site.test/a/b", "https://192.0.2.1/", "https://[2001:db8::1]/"} {
			s.LookupURL(url)
		}
	})
}
