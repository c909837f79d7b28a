package blocklist_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

func TestCanaryName(t *testing.T) {
	long := strings.Repeat("a", blocklist.MaxListName)
	for list, want := range map[string]string{
		"it.example/csam":       "serial-42.it.example_csam.argine.test",
		"it/example.csam":       "serial-42.it_example.csam.argine.test",
		"a/b/c/d":               "serial-42.a_b_c_d.argine.test",
		long:                    "serial-42." + long[:63] + "._" + long[:62] + "._aaa.argine.test",
		long[:63] + "." + "b":   "serial-42." + long[:63] + ".b.argine.test",
		long[:63] + "/" + "b.c": "serial-42." + long[:63] + ".__b.c.argine.test",
	} {
		require.NoError(t, blocklist.CheckListName(list))
		assert.Equal(t, want, blocklist.CanaryName(list, 42), list)
		name, err := blocklist.ParseName(blocklist.CanaryName(list, 1<<63-1))
		require.NoError(t, err, list)
		assert.LessOrEqual(t, len(name), blocklist.MaxName)
	}
}

// The canary of the serial in force is listed, and none else: not before, not after the next one, not of a local list.
func TestTestEntry(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	blocktest.SetList(t, s, "local", "example.net")
	only := func(s *blocklist.Store, serial uint64) {
		t.Helper()
		for i := range serial + 3 {
			name := blocklist.CanaryName(csam, i)
			m, ok := s.LookupHost("www." + name)
			require.Equal(t, serial > 0 && i == serial, ok, "serial %d, in force is %d", i, serial)
			if ok {
				assert.Equal(t, csam, m.List)
				assert.Equal(t, name, m.Entry())
				assert.False(t, m.Monitor)
			}
		}
		_, ok := s.LookupHost("argine.test")
		assert.False(t, ok)
		_, ok = s.LookupHost("x" + blocklist.CanaryName(csam, serial))
		assert.False(t, ok)
		_, ok = s.LookupHost(blocklist.CanaryName("local", 0))
		assert.False(t, ok)
	}
	only(s, 0)
	require.NoError(t, apply(s, snapshot(t, 1, "example.com")))
	only(s, 1)
	require.NoError(t, apply(s, release(t, header(2, 1, "example.com", "example.org"), "+example.org")))
	only(s, 2)
	info, _ := s.List(csam)
	assert.Equal(t, uint64(2), info.Entries, "it does not count")
	require.NoError(t, s.Close())
	s = openStore(t, dir)
	only(s, 2)
	name, err := blocklist.ParseName(blocklist.CanaryName(csam, 2))
	require.NoError(t, err)
	wire := []byte(name)
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.LookupName(wire) }))
}

// What lies on top of the released state does so after a merge, too.
func TestMergeKeepsWhatLiesOnTop(t *testing.T) {
	s := openStore(t, t.TempDir())
	require.NoError(t, apply(s, snapshot(t, 1, "a.example")))
	lines, plus := []string{"a.example"}, []string{}
	for i := range 12_000 {
		line := fmt.Sprintf("n%05d.example", i)
		lines, plus = append(lines, line), append(plus, "+"+line)
	}
	require.NoError(t, apply(s, release(t, header(2, 1, lines...), plus...)))
	order := entry(t, "urgent.example expires=2099-01-01")
	require.NoError(t, signed(s).Save([]blocklist.Entry{order}, []byte("{}")))
	merged, err := merge(s)
	require.NoError(t, err)
	require.True(t, merged)
	assert.Equal(t, "urgent.example", listed(s, "urgent.example"))
	_, ok := s.LookupHost(blocklist.CanaryName(csam, 2))
	assert.True(t, ok)
}
