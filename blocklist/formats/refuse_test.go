package formats_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

func TestRefuse(t *testing.T) {
	page := "<!DOCTYPE html>\n<html><body>\n<h1>503 Service Unavailable</h1>\nexample.com\n</body></html>\n"
	names := func(n int) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, "a%d.test\n", i)
		}
		return out.String()
	}
	for name, tt := range map[string]struct {
		text string
		o    formats.Options
		why  string
	}{
		"empty":                 {"", formats.Options{}, "it is empty"},
		"comments":              {"# nothing\n\n! here\n", formats.Options{}, "it is empty"},
		"empty, named":          {"", formats.Options{Format: formats.RPZ}, "it is empty"},
		"empty, though it may":  {"", formats.Options{MayBeEmpty: true}, "it is empty"},
		"nothing usable":        {"a b c d\n", formats.Options{Format: formats.Domains, MayBeEmpty: true}, "not domains"},
		"a page":                {page, formats.Options{}, "an HTML or XML page"},
		"a page, named":         {page, formats.Options{Format: formats.Hosts}, "an HTML or XML page"},
		"JSON":                  {`{"error": "quota exceeded"}`, formats.Options{}, "JSON"},
		"binary":                {"\x7fELF\x00\x00\x01", formats.Options{}, "binary"},
		"gzip":                  {"\x1f\x8b\x08\x00", formats.Options{}, "decompress it"},
		"UTF-16":                {"\xff\xfea\x00.\x00", formats.Options{}, "UTF-16"},
		"lines that end in CR":  {"a.test\rb.test\r", formats.Options{}, "lines end in CR alone"},
		"prose":                 {"The list has moved.\nPlease see\nexample.com\nfor more.\n", formats.Options{}, "3 of 4 things in it are not domains"},
		"a word":                {strings.Repeat("unavailable\n", 500), formats.Options{}, "no format is recognised in it (as domains: a single label: 500, first in line 1)"},
		"a word, named":         {strings.Repeat("unavailable\n", 500), formats.Options{Format: formats.Domains}, "a single label: 500, first in line 1"},
		"a name again":          {strings.Repeat("example.com\n", 500), formats.Options{}, "500 times the same entry, example.com"},
		"a spreadsheet":         {"PK\x03\x04\x14\x00", formats.Options{}, "it is a spreadsheet such as .xlsx"},
		"an old spreadsheet":    {"\xd0\xcf\x11\xe0\xa1", formats.Options{}, "it is a spreadsheet such as .xlsx"},
		"UTF-16 without a mark": {"a\x00.\x00t\x00e\x00s\x00t\x00\n\x00", formats.Options{}, "iconv -f utf-16le"},
		"Latin-1":               {"Stra\xdfe\nM\xfcnchen\n", formats.Options{}, "it is not UTF-8, perhaps Latin-1"},
		"a table for Excel":     {"sep=;\nid;colour\n1;red\n", formats.Options{}, "none of its columns (id, colour)"},
		"only wildcards":        {"*.a.test\n*.b.test\n", formats.Options{}, "2 of 2 things in it are wildcards (*.name), which do not cover the name itself here; name the format dnscrypt"},
		"only wildcards, named": {"*.a.test\n*.b.test\n", formats.Options{Format: formats.Domains}, "name the format dnscrypt"},
		"another format":        {names(30), formats.Options{Format: formats.Hosts}, "30 of 30 things in it are not hosts"},
		"junk behind":           {names(20000) + strings.Repeat("not a name\n", 7000), formats.Options{}, "7000 of 27000 things"},
		"a table without names": {"id,colour\n1,red\n", formats.Options{Format: formats.CSV}, "none of its columns (id, colour) is one of domain, "},
		"a zone cut short":      {"@ SOA a. b. (\n1 2 3\n", formats.Options{Format: formats.RPZ}, "parenthesis that is not closed"},
		"an unknown format":     {names(3), formats.Options{Format: "pdf"}, `format "pdf"`},
		"a bad origin":          {names(3), formats.Options{Origin: "a..b"}, "zone"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Name = "some.txt"
			_, _, err := read(t, tt.text, tt.o)
			require.ErrorIs(t, err, blocklist.ErrMalformed)
			assert.ErrorContains(t, err, tt.why)
		})
	}
}

func TestLongLines(t *testing.T) {
	long := func(n int) string { return "example.org #" + strings.Repeat("x", n-len("example.org #")) }
	text := "a.test\r\n" + long(blocklist.MaxLine) + "\r\n" + long(blocklist.MaxLine+1) + "\nb.test\n" + long(3*blocklist.MaxLine) + "\nc.test\nd.test\ne.test\nf.test\ng.test"
	entries, skipped, err := read(t, text, formats.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a.test", "example.org", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test"}, entries)
	assert.Equal(t, []string{"line longer than 64 KiB: 2 @ [3 5]"}, skipped)
}

func TestSourceFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := formats.NewReader(iotest.ErrReader(broken), formats.Options{})
	require.ErrorIs(t, err, broken)

	text := strings.Repeat("a.test\nb.test\n", 10000)
	r, err := formats.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), formats.Options{})
	require.NoError(t, err)
	count := 0
	for _, e := range r.Entries() {
		err = e
		count++
	}
	require.ErrorIs(t, err, broken)
	assert.Equal(t, 20001, count)
}

func TestStop(t *testing.T) {
	for _, text := range []string{"a.test\nb.test\nc.test\n", "||a.test^\n||b.test^\n||c.test^\n"} {
		r, err := formats.NewReader(strings.NewReader(text), formats.Options{})
		require.NoError(t, err)
		for _, err := range r.Entries() {
			require.NoError(t, err)
			break
		}
		assert.Equal(t, 1, r.Report().Entries)
	}
}

// A reader that was ranged over is at its end: it says so, and no list is emptied by that.
func TestReadTwice(t *testing.T) {
	for _, text := range []string{"0.0.0.0 a.test\n0.0.0.0 b.test\n", "a.test\nb.test\n", "||a.test^\n||b.test^\n", "=a.test category=x\nb.test\n", "domain,ref\na.test,1\nb.test,2\n"} {
		for _, broken := range []bool{false, true} {
			r, err := formats.NewReader(strings.NewReader(text), formats.Options{})
			require.NoError(t, err)
			for _, err := range r.Entries() {
				require.NoError(t, err)
				if broken {
					break
				}
			}
			before := r.Report()
			for e, err := range r.Entries() {
				require.ErrorIs(t, err, blocklist.ErrClosed, e)
			}
			assert.Equal(t, before, r.Report())
		}
	}
}

func TestListIsNotEmptiedByASecondReading(t *testing.T) {
	store, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	require.NoError(t, err)
	defer store.Close()
	r, err := formats.NewReader(strings.NewReader("a.test\nb.test\n"), formats.Options{})
	require.NoError(t, err)
	require.NoError(t, store.SetLocal("local", "", r.Entries()))
	require.ErrorIs(t, store.SetLocal("local", "", r.Entries()), blocklist.ErrClosed)
	_, listed := store.LookupHost("a.test")
	assert.True(t, listed)
	assert.ErrorIs(t, blocklist.BuildSet(filepath.Join(t.TempDir(), "set"), "local", r.Entries()), blocklist.ErrClosed)
}

// What is binary is no list, wherever it begins.
func TestBinaryAnywhere(t *testing.T) {
	names := strings.Repeat("0.0.0.0 a.test\n0.0.0.0 b.test\n", 40000)
	for _, junk := range []string{strings.Repeat("\x00", 4096), "\x00", strings.Repeat("x", 200000) + "\x00", "0.0.0.0 c.test\x00\n" + names} {
		r, err := formats.NewReader(strings.NewReader(names+junk), formats.Options{})
		require.NoError(t, err)
		for _, err = range r.Entries() {
		}
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, "NUL in line 80001: it is binary")
	}
}

func TestParse(t *testing.T) {
	f, err := formats.Parse("hosts")
	require.NoError(t, err)
	assert.Equal(t, formats.Hosts, f)
	_, err = formats.Parse("Hosts")
	assert.ErrorContains(t, err, "there are auto, domains")
}

// A list of comments alone is empty where that may be.
func TestMayBeEmpty(t *testing.T) {
	for _, text := range []string{"# nothing yet\n", "# nothing\n\n# here\n", "\n"} {
		for _, f := range []formats.Format{formats.Auto, formats.Domains, formats.Hosts, formats.Argine} {
			got, _, err := read(t, text, formats.Options{Format: f, MayBeEmpty: true})
			require.NoError(t, err, "%q as %s", text, f)
			assert.Empty(t, got)
		}
	}
}

// What is nil is refused, and no entry is written as nothing.
func TestNil(t *testing.T) {
	_, err := formats.NewReader(nil, formats.Options{})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = formats.Write(io.Discard, formats.Hosts, nil, formats.WriteOptions{})
	require.ErrorIs(t, err, blocklist.ErrMalformed)
}
