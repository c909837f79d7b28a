package formats_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

const benchNames = 1_000_000

func benchList(line string) []byte {
	var list bytes.Buffer
	for i := range benchNames {
		fmt.Fprintf(&list, line, fmt.Sprintf("host-%d.some-domain-%d.example", i%977, i))
	}
	return list.Bytes()
}

func BenchmarkReadDomains(b *testing.B) { benchmarkRead(b, benchList("%s\n")) }
func BenchmarkReadHosts(b *testing.B)   { benchmarkRead(b, benchList("0.0.0.0 %s\n")) }
func BenchmarkReadAdblock(b *testing.B) { benchmarkRead(b, benchList("||%s^\n")) }
func BenchmarkReadRPZ(b *testing.B)     { benchmarkRead(b, benchList("%[1]s CNAME .\n*.%[1]s CNAME .\n")) }

func benchmarkRead(b *testing.B, list []byte) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r, err := formats.NewReader(bytes.NewReader(list), formats.Options{})
		require.NoError(b, err)
		count := 0
		for range r.Entries() {
			count++
		}
		require.Equal(b, benchNames, count)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNames, "ns/name")
}

func BenchmarkCompileDomains(b *testing.B) { benchmarkCompile(b, benchList("%s\n")) }
func BenchmarkCompileHosts(b *testing.B)   { benchmarkCompile(b, benchList("0.0.0.0 %s\n")) }

// benchmarkCompile takes a changed file in, as the resolver does.
func benchmarkCompile(b *testing.B, list []byte) {
	b.Helper()
	store, err := blocklist.Open(b.TempDir(), blocklist.Options{})
	require.NoError(b, err)
	defer store.Close()
	b.ReportAllocs()
	for b.Loop() {
		r, err := formats.NewReader(bytes.NewReader(list), formats.Options{})
		require.NoError(b, err)
		require.NoError(b, store.SetLocal("local", "", r.Entries()))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNames, "ns/name")
}

func BenchmarkWriteRPZ(b *testing.B) {
	list := benchList("%s\n")
	for b.Loop() {
		r, err := formats.NewReader(bytes.NewReader(list), formats.Options{})
		require.NoError(b, err)
		_, err = formats.Write(io.Discard, formats.RPZ, r.Entries(), formats.WriteOptions{})
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNames, "ns/name")
}
