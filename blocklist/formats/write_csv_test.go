package formats_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/formats"
)

// No cell of a table is a formula, be the separator of a reader's spreadsheet a comma or a semicolon.
func TestSpreadsheetCell(t *testing.T) {
	for text, want := range map[string]string{
		"https://site.example/a":               "https://site.example/a",
		"=1+1":                                 "'=1+1",
		" @x":                                  "' @x",
		"https://site.example/a;=HYPERLINK(1)": "https://site.example/a;'=HYPERLINK(1)",
		"https://site.example/a;b;-1;\t+2":     "https://site.example/a;b;'-1;'\t+2",
		"\uff1dx":                              "'\uff1dx",
	} {
		assert.Equal(t, want, formats.SpreadsheetCell(text))
	}
}

// A table keeps the attributes: read again, it yields the same entries. What the reader would not take is not written.
func TestWriteCSV(t *testing.T) {
	t.Parallel()
	text := `example.com category=csam ref="order 7, part \"b\"; c" added=2026-01-02
=www.example.org expires=2027-01-01 review=2026-12-01
https://t.test/channel/*
https://*.site.test/user
192.0.2.0/24
monitored.test status=monitor
`
	var out bytes.Buffer
	written, err := formats.Write(&out, formats.CSV, entriesOf(t, text+"zip\nexpired.test expires=2026-01-01\n"),
		formats.WriteOptions{SkipUnsupported: true, Now: now})
	require.NoError(t, err)
	assert.Equal(t, 6, written.Entries)
	assert.Equal(t, 1, written.Expired)
	assert.Equal(t, "url,host,domain,ip,category,ref,status,added,expires,review", strings.SplitN(out.String(), "\n", 2)[0])
	assert.Contains(t, out.String(), ",,example.com,,csam,\"order 7, part \"\"b\"\"; c\",block,2026-01-02T00:00:00Z,,\n")
	r, err := formats.NewReader(&out, formats.Options{})
	require.NoError(t, err)
	assert.Equal(t, formats.CSV, r.Format())
	var lines []string
	for e, err := range r.Entries() {
		require.NoError(t, err)
		lines = append(lines, e.String())
	}
	assert.Equal(t, text, strings.Join(lines, "\n")+"\n")
}
