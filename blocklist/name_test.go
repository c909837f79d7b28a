package blocklist_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

func TestParseName(t *testing.T) {
	for _, test := range []struct{ text, wire, canonical string }{
		{".", "\x00", "."},
		{"example", "\x07example\x00", "example"},
		{"WWW.Example.COM.", "\x03www\x07example\x03com\x00", "www.example.com"},
		{"_sip._TCP.example", "\x04_sip\x04_tcp\x07example\x00", "_sip._tcp.example"},
		{"bücher.example", "\x0dxn--bcher-kva\x07example\x00", "xn--bcher-kva.example"},
		{"BÜCHER。example", "\x0dxn--bcher-kva\x07example\x00", "xn--bcher-kva.example"},
		{"faß.example", "\x0axn--fa-hia\x07example\x00", "xn--fa-hia.example"},      // non-transitional
		{"FA\u1e9e.example", "\x0axn--fa-hia\x07example\x00", "xn--fa-hia.example"}, // as in UTS-46 since Unicode 15.1
		{"xn--broken.example", "\x0axn--broken\x07example\x00", "xn--broken.example"},
		{`a\.b.example`, "\x03a.b\x07example\x00", `a\.b.example`},
		{`\000\255\065.example`, "\x03\x00\xffa\x07example\x00", `\000\255a.example`},
		{`a b\!.example`, "\x04a b!\x07example\x00", `a\032b\!.example`},
		{"192.0.2.1", "\x03192\x010\x012\x011\x00", "192.0.2.1"},
	} {
		name, err := blocklist.ParseName(test.text)
		require.NoError(t, err, "%s", test.text)
		assert.Equal(t, blocklist.Name(test.wire), name, "%s", test.text)
		assert.Equal(t, test.canonical, name.String())
		again, err := blocklist.ParseName(name.String())
		require.NoError(t, err)
		assert.Equal(t, name, again)
	}
}

func TestParseNameLimits(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("a", 61) // 3*64 + 62 + 1 = 255 octets
	name, err := blocklist.ParseName(longest)
	require.NoError(t, err)
	assert.Len(t, string(name), blocklist.MaxName)
	escaped, err := blocklist.ParseName(strings.ReplaceAll(longest, "a", `\097`))
	require.NoError(t, err)
	assert.Equal(t, name, escaped)
	for text, why := range map[string]string{
		"":                          "empty",
		"..":                        "empty label",
		".a":                        "empty label",
		"a..":                       "empty label",
		longest + "a":               "255 octets",
		longest + "a.":              "255 octets",
		label + "a.example":         "63 octets",
		`a\`:                        "backslash",
		`a\25`:                      "backslash",
		`a\2x5`:                     "backslash",
		`a\256`:                     "backslash",
		"a\uFFFDb.example":          "idna",
		"a\xff.example":             "malformed",
		"ü..example":                "empty label",
		"℀.example":                 "Unicode", // maps to a/c
		"ü/x.example":               "Unicode",
		strings.Repeat("ü", 1<<20):  "255 octets",
		strings.Repeat("a.", 1<<20): "255 octets",
		strings.Repeat(`\.`, 1<<20): "255 octets",
		strings.Repeat("a", 1<<20):  "octets",
	} {
		_, err := blocklist.ParseName(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed, "%.90q", text)
		assert.ErrorContains(t, err, why)
	}
}

func TestAppendName(t *testing.T) {
	got, err := blocklist.AppendName([]byte("keep"), "A.example")
	require.NoError(t, err)
	assert.Equal(t, "keep\x01a\x07example\x00", string(got))
	got, err = blocklist.AppendName([]byte("keep"), "a..example")
	require.Error(t, err)
	assert.Equal(t, "keep", string(got))
	buf := make([]byte, 0, blocklist.MaxName)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := blocklist.AppendName(buf, "WWW.Example.com"); err != nil {
			t.Error(err)
		}
	}))
}

func TestAppendHostname(t *testing.T) {
	longest := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("a", 61)
	for _, text := range []string{"example", "WWW.Example.com", "www.example.", "_a-9.0_B.xn--1", "192.0.2.1", longest, longest + "."} {
		checkHostname(t, text)
		_, labels := blocklist.AppendHostname(nil, text)
		assert.Positive(t, labels, "%s", text)
	}
	for _, text := range []string{
		"", ".", "..", ".a", "a..", "a..b", "a b", "a/b", "a,b", "*.a", "a\000", `a\.b`, "bücher.example", strings.Repeat("a", 64) + ".b",
		"b." + strings.Repeat("a", 64), longest + "a", strings.Repeat("a.", 1<<20),
	} {
		wire, labels := blocklist.AppendHostname([]byte("keep"), text)
		assert.Zero(t, labels, "%.90q", text)
		assert.Equal(t, "keep", string(wire))
	}
	buf := make([]byte, 0, blocklist.MaxName)
	assert.Zero(t, testing.AllocsPerRun(100, func() { blocklist.AppendHostname(buf, "www.example.com") }))
}

// checkHostname compares what AppendHostname makes of a text with what is made of the same name where an escape keeps
// it from being taken for a plain one.
func checkHostname(t *testing.T, text string) {
	t.Helper()
	wire, labels := blocklist.AppendHostname([]byte("keep"), text)
	wire = wire[len("keep"):]
	if text == "" || text[0] == '.' || text[0] == '\\' || text[0] >= 0x80 {
		require.Zero(t, labels)
		return
	}
	name, err := blocklist.ParseName(fmt.Sprintf(`\%03d%s`, text[0], text[1:]))
	plain := err == nil && name.IsHostname() && !strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r >= 0x80 })
	require.Equal(t, plain, labels > 0, "%q", text)
	if plain {
		require.Equal(t, name, blocklist.Name(wire))
		require.Equal(t, name.Labels(), labels)
	}
}

func TestNameFromWire(t *testing.T) {
	name, err := blocklist.NameFromWire([]byte("\x03WwW\x07eXample\x00"))
	require.NoError(t, err)
	assert.Equal(t, "www.example", name.String())
	root, err := blocklist.NameFromWire([]byte{0})
	require.NoError(t, err)
	assert.True(t, root.IsRoot())
	for _, wire := range []string{
		"", "\x01", "\x01a", "\x02a\x00", "\x00\x00", "\x01a\x00x", "\x40" + strings.Repeat("a", 64) + "\x00", "\xc0\x0c",
		strings.Repeat("\x01a", 128) + "\x00",
	} {
		_, err := blocklist.NameFromWire([]byte(wire))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%q", wire)
	}
}

func TestNameWalk(t *testing.T) {
	name := mustName(t, `a.b\.c.example`)
	var walk []string
	for s := range name.Suffixes() {
		walk = append(walk, s.String())
	}
	assert.Equal(t, []string{`a.b\.c.example`, `b\.c.example`, "example"}, walk)
	assert.Equal(t, 3, name.Labels())
	assert.False(t, name.IsHostname())
	assert.True(t, mustName(t, "a-1._b.example").IsHostname())
	parent, ok := name.Parent()
	assert.True(t, ok)
	assert.Equal(t, `b\.c.example`, parent.String())
	root, ok := mustName(t, "example").Parent()
	assert.True(t, ok)
	assert.True(t, root.IsRoot())
	assert.False(t, root.IsHostname())
	assert.Zero(t, root.Labels())
	for _, none := range []blocklist.Name{root, ""} {
		_, ok = none.Parent()
		assert.False(t, ok)
		assert.Empty(t, slices.Collect(none.Suffixes()))
	}
	assert.Empty(t, blocklist.Name("").String())
}

func TestNameWithin(t *testing.T) {
	for _, test := range []struct {
		name, parent string
		within       bool
	}{
		{"example.com", "example.com", true},
		{"a.b.example.com", "example.com", true},
		{"badexample.com", "example.com", false},
		{`bad\.example.com`, "example.com", false},
		{"example.com", "www.example.com", false},
	} {
		assert.Equal(t, test.within, mustName(t, test.name).Within(mustName(t, test.parent)), "%s in %s", test.name, test.parent)
	}
}

func mustName(t *testing.T, text string) blocklist.Name {
	t.Helper()
	name, err := blocklist.ParseName(text)
	require.NoError(t, err)
	return name
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{".", "example.com", "WWW.EXAMPLE.", `a\.b\032\255.c`, "bücher.example", "ﬁ。example", "xn--a", `\`, "１.２"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := blocklist.ParseName(text)
		if err != nil {
			require.ErrorIs(t, err, blocklist.ErrMalformed)
			return
		}
		require.LessOrEqual(t, len(name), blocklist.MaxName)
		again, err := blocklist.ParseName(name.String())
		require.NoError(t, err)
		require.Equal(t, name, again)
		wire, err := blocklist.NameFromWire([]byte(strings.ToUpper(string(name)))) // ASCII only: see the next line
		if !strings.ContainsFunc(string(name), func(r rune) bool { return r >= 0x80 }) {
			require.NoError(t, err)
			require.Equal(t, name, wire)
		}
	})
}

func FuzzAppendHostname(f *testing.F) {
	for _, s := range []string{".", "a", "example.com", "WWW.EXAMPLE.", "a..b", `a\.b.c`, "bücher.example", "_a-1.b c", strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(checkHostname)
}
