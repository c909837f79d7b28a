package formats_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// FuzzRead reads anything as any format: it never panics, what it yields reads back from its own line, and what is
// written of it for another program reads back as nothing more.
func FuzzRead(f *testing.F) {
	golden, err := filepath.Glob("testdata/*")
	require.NoError(f, err)
	for i, format := range formats.Readable() {
		for _, tt := range readTests() {
			if tt.format == format {
				f.Add(byte(i), []byte(tt.text))
			}
		}
		for _, name := range golden {
			data, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(byte(i), data)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		format := formats.Readable()[int(which)%len(formats.Readable())]
		r, err := formats.NewReader(bytes.NewReader(data), formats.Options{Format: format})
		if err != nil {
			return
		}
		var entries []blocklist.Entry
		listed := map[string]bool{}
		for e, err := range r.Entries() {
			if err != nil {
				return
			}
			again, err := blocklist.ParseEntry(e.String())
			require.NoError(t, err)
			require.Equal(t, e.String(), again.String())
			entries = append(entries, e)
			listed[e.Target()] = true
		}
		for _, to := range formats.Writable() {
			if !slices.Contains(formats.Readable(), to) {
				continue // FuzzAddresses
			}
			checkWritten(t, to, entries, listed)
		}
	})
}

// FuzzDomains reads lines as they are and with a comment behind each, which keeps a name from the fast way.
func FuzzDomains(f *testing.F) {
	for _, s := range []string{"www.Example.org", "example.org.\nhost\na..example\n", "192.0.2.1\na.example.12\na.12.\n# c\n\n", "a_b.-c.example\r\nhttps://a.example/b#c", "a.example\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > blocklist.MaxLine/2 { // lines cut short are another matter
			return
		}
		plain, skipped := readDomains(data)
		data = bytes.TrimSuffix(data, []byte("\r")) // before a comment it would be the line end of an old Macintosh
		commented, skippedToo := readDomains(append(bytes.ReplaceAll(data, []byte("\n"), []byte(" #\n")), " #"...))
		require.Equal(t, plain, commented)
		require.Equal(t, skipped, skippedToo)
	})
}

func readDomains(data []byte) (entries []blocklist.Entry, skipped []formats.Skip) {
	r, err := formats.NewReader(bytes.NewReader(data), formats.Options{Format: formats.Domains})
	if err != nil {
		return nil, nil
	}
	for e := range r.Entries() {
		entries = append(entries, e)
	}
	return entries, r.Report().Skipped
}

func checkWritten(t *testing.T, to formats.Format, entries []blocklist.Entry, listed map[string]bool) {
	t.Helper()
	all := func(yield func(blocklist.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	var out bytes.Buffer
	written, err := formats.Write(&out, to, all, formats.WriteOptions{SkipUnsupported: true})
	require.NoError(t, err)
	r, err := formats.NewReader(&out, formats.Options{Format: to})
	if written.Entries == 0 {
		return
	}
	require.NoError(t, err)
	count := 0
	for e, err := range r.Entries() {
		if count++; err != nil {
			require.ErrorIs(t, err, blocklist.ErrMalformed) // the same entry many times over
			return
		}
		require.True(t, listed[e.Target()], "%s: %s", to, e.Target())
	}
	require.Positive(t, count)
}
