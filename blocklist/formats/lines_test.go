package formats_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// TestBufferEnds has lines of all lengths, so that the reader's buffer ends at each place of a line.
func TestBufferEnds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ends := []string{"\n", "\r\n", " # comment\n", "\n\n"}
	var text strings.Builder
	var names []string
	var tooLong []int // numbers of the lines
	number := 0
	line := func(s string) {
		text.WriteString(s)
		number += strings.Count(s, "\n")
	}
	for i := range 30_000 {
		names = append(names, fmt.Sprintf("%d.%s.test", i, strings.Repeat("a", 1+random.IntN(60))))
		line(names[i] + ends[random.IntN(len(ends))])
		switch random.IntN(1000) {
		case 0:
			line(strings.Repeat("b", blocklist.MaxLine+1+random.IntN(blocklist.MaxLine)) + "\n")
			tooLong = append(tooLong, number)
		case 1, 2, 3:
			line("#" + strings.Repeat("c", random.IntN(blocklist.MaxLine)) + "\n")
		}
	}
	names = append(names, "last.test")
	line("last.test")
	require.Greater(t, len(tooLong), 5)
	for _, wrap := range []func(io.Reader) io.Reader{iotest.DataErrReader, iotest.HalfReader, iotest.OneByteReader} {
		r, err := formats.NewReader(wrap(strings.NewReader(text.String())), formats.Options{Format: formats.Domains})
		require.NoError(t, err)
		var got []string
		for e, err := range r.Entries() {
			require.NoError(t, err)
			got = append(got, e.Target())
		}
		require.Equal(t, names, got)
		skipped := []formats.Skip{{Reason: "line longer than 64 KiB", Count: len(tooLong), Lines: tooLong}}
		require.Equal(t, formats.Report{Format: formats.Domains, Lines: number + 1, Entries: len(names), Skipped: skipped}, r.Report())
	}
}
