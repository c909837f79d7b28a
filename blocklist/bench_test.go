package blocklist_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

// million writes the text of a snapshot with a million made names.
func million(b *testing.B) []byte {
	b.Helper()
	const n = 1_000_000
	lines := make([]string, n)
	var h blocklist.Header
	for i := range lines {
		lines[i] = fmt.Sprintf("host-%x.site-%d.example", uint64(i)*2654435761%n, i)
	}
	slices.Sort(lines)
	h = header(1, 0, lines...)
	h.List = csam
	var buf bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&buf, h)
	require.NoError(b, err)
	for _, line := range lines {
		require.NoError(b, w.Write(blocklist.Change{Entry: entry(b, line)}))
	}
	require.NoError(b, w.Close())
	return buf.Bytes()
}

func vouched(b *testing.B, text []byte) signedRelease {
	b.Helper()
	r, err := blocklist.NewReleaseReader(bytes.NewReader(text))
	require.NoError(b, err)
	return signedRelease{r, []byte("{}")}
}

func BenchmarkLookup1M(b *testing.B) {
	s := openStore(b, b.TempDir())
	require.NoError(b, apply(s, vouched(b, million(b))))
	for _, c := range []struct {
		what, format string
		listed       bool
	}{{"miss4labels", "www.shop-%d.example.org", false}, {"hit", "host-%[1]x.site-%[1]d.example", true}} {
		names := make([][]byte, 0, 1<<16)
		for i := 0; len(names) < cap(names); i++ {
			name, err := blocklist.ParseName(fmt.Sprintf(c.format, i*15))
			require.NoError(b, err)
			names = append(names, []byte(name))
		}
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			hits := 0
			for i := 0; b.Loop(); i++ {
				if _, ok := s.LookupName(names[i&(1<<16-1)]); ok {
					hits++
				}
			}
			require.Equal(b, c.listed, hits > 0)
		})
	}
}

func BenchmarkReadRelease1M(b *testing.B) {
	text := million(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r, err := blocklist.NewReleaseReader(bytes.NewReader(text))
		require.NoError(b, err)
		for _, err := range r.Changes() {
			require.NoError(b, err)
		}
	}
}

func BenchmarkApply1M(b *testing.B) {
	text := million(b)
	dir := b.TempDir()
	s := openStore(b, dir)
	b.ResetTimer()
	for b.Loop() {
		require.NoError(b, apply(s, vouched(b, text)))
	}
}

func BenchmarkOpen1M(b *testing.B) {
	dir := b.TempDir()
	s := openStore(b, dir)
	require.NoError(b, apply(s, vouched(b, million(b))))
	require.NoError(b, s.Close())
	for b.Loop() {
		s, err := blocklist.Open(dir, blocklist.Options{})
		require.NoError(b, err)
		require.NoError(b, s.Close())
	}
}

func BenchmarkLookupHost(b *testing.B) {
	s := blocktest.NewStore(b, "example.com", "192.0.2.0/24")
	for name, host := range map[string]string{"miss": "www.example.org", "port": "www.example.org:443", "address": "203.0.113.7", "hit": "www.example.com"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			listed := false
			for b.Loop() {
				_, listed = s.LookupHost(host)
			}
			require.Equal(b, name == "hit", listed)
		})
	}
}
