package guard_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

func TestReadProtected(t *testing.T) {
	got, err := guard.ReadProtected(strings.NewReader("# ours\n\nBank.Example # head office\n  =www.town.example\r\n192.0.2.0/24\nmünchen.example"))
	require.NoError(t, err)
	assert.Equal(t, protected(t, "bank.example", "=www.town.example", "192.0.2.0/24", "xn--mnchen-3ya.example"), got)

	for text, want := range map[string]string{
		"a.example\n\nb..example":                  "line 3",
		"a.example\nhttps://b.example":             "write the name alone",
		"*.example":                                "line 1",
		"a.example\n" + strings.Repeat("b", 1<<20): "line 2",
	} {
		_, err := guard.ReadProtected(strings.NewReader(text))
		assert.ErrorContains(t, err, want)
	}
}

func TestReadPopular(t *testing.T) {
	for _, c := range []struct {
		text string
		top  int
		want string
	}{
		{"", 0, ""},
		{"search.test\n# no\nSTORE.test\n", 0, "search.test 1, store.test 2"},
		{"1,search.test\r\n7, store.test # x\n", 0, "search.test 1, store.test 7"},
		{"9,c.test\n2,b.test\n", 5, "b.test 2"},
		{"a.test\nb.test\n\nc.test\nd.test", 3, "a.test 1, b.test 2, c.test 3"},
	} {
		got, err := guard.ReadPopular(strings.NewReader(c.text), c.top)
		require.NoError(t, err)
		var out []string
		for _, p := range got {
			out = append(out, fmt.Sprint(p.Name, " ", p.Rank))
		}
		assert.Equal(t, c.want, strings.Join(out, ", "))
	}
	for _, text := range []string{"0,a.test", "x,a.test", "1,", "1,a.test,b", "a..test", "-1,a.test"} {
		_, err := guard.ReadPopular(strings.NewReader("0a.test\n"+text), 0)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
		assert.ErrorContains(t, err, "line 2", text)
	}
}

func TestReadLimits(t *testing.T) {
	names := io.LimitReader(repeat("a.test\n"), 7*(guard.MaxNames+1))
	_, err := guard.ReadPopular(names, 10)
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
	_, err = guard.ReadProtected(repeat("# endless\n"))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
	_, err = guard.ReadProtected(repeat("x"))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

// repeat reads its text again and again.
type repeat string

func (r repeat) Read(b []byte) (n int, err error) {
	for n+len(r) <= len(b) {
		n += copy(b[n:], r)
	}
	if n == 0 {
		n = copy(b, r)
	}
	return n, nil
}

// Whatever is read can be guarded by, and what is protected or popular trips when it is added.
func FuzzRead(f *testing.F) {
	f.Add("bank.example\n=www.town.example # x\n192.0.2.0/24", "bank.example")
	f.Add("1,search.test\nmünchen.example", "=search.test")
	f.Add("9,\\000.test", "2001:db8::/32")
	f.Fuzz(func(t *testing.T, text, line string) {
		var l guard.Limits
		var err1, err2 error
		l.Protected, err1 = guard.ReadProtected(strings.NewReader(text))
		l.Popular, err2 = guard.ReadPopular(strings.NewReader(text), 5)
		for _, err := range []error{err1, err2} {
			if err != nil {
				assert.True(t, errors.Is(err, blocklist.ErrMalformed) || errors.Is(err, blocklist.ErrTooLarge), "%v", err)
			}
		}
		g := newGuard(t, l)
		held := func(e blocklist.Entry) *guard.Report {
			return check(t, g, guard.Update{After: 1, Changes: func(yield func(blocklist.Change, error) bool) {
				yield(blocklist.Change{Entry: e}, nil)
			}})
		}
		for _, e := range l.Protected {
			e.Monitor = false
			assert.NotZero(t, held(e).Counts[guard.CheckProtect], e.Target())
		}
		for _, p := range l.Popular {
			assert.NotZero(t, held(blocklist.HostEntry(p.Name)).Counts[guard.CheckPopular], p.Name)
		}
		if e, err := blocklist.ParseEntry(line); err == nil {
			r := held(e)
			assert.Equal(t, r, held(e))
			assert.Equal(t, r.Held > 0, r.Digest != "")
		}
	})
}
