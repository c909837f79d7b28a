package internal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// packed makes a message of records, with compressed names.
func packed(t testing.TB, question string, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(question, dns.TypeA)
	for _, text := range records {
		rr, err := dns.NewRR(text)
		require.NoError(t, err)
		m.Answer = append(m.Answer, rr)
	}
	m.Compress = true
	m.SetEdns0(1400, true)
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// wire returns a name without pointers.
func wire(t testing.TB, name string) []byte {
	t.Helper()
	var buf [dnswire.MaxName]byte
	n, err := dns.PackDomainName(name, buf[:], 0, nil, false)
	require.NoError(t, err)
	return append([]byte(nil), buf[:n]...)
}

func TestNames(t *testing.T) {
	t.Parallel()
	m := packed(t, "WWW.Example.org.", "www.example.org. CNAME a.b.Example.ORG.", "a.b.example.org. CNAME Org.", "org. A 192.0.2.1")
	want := []string{"a.b.example.org.", "org."}
	i := 0
	for r := range dnswire.Records(m) {
		if r.Type != dns.TypeCNAME {
			continue
		}
		name, end := dnswire.AppendName(nil, m, r.At)
		assert.Equal(t, wire(t, want[i]), name)
		assert.Equal(t, r.End(), end)
		assert.Equal(t, end, dnswire.CheckName(m, r.At))
		assert.Equal(t, end, dnswire.SkipName(m, r.At))
		assert.Equal(t, want[i] == "org.", dnswire.IsAbove(m, r.At, dnswire.HeaderSize))
		i++
	}
	assert.Len(t, want, i)
	assert.Equal(t, dnswire.HeaderSize+len(wire(t, "www.example.org."))+4, dnswire.QuestionEnd(m))
	assert.Zero(t, dnswire.QuestionEnd(m[:20]))
}

func TestMalformedNames(t *testing.T) {
	t.Parallel()
	head := make([]byte, dnswire.HeaderSize)
	for what, name := range map[string]string{
		"cut": "\x03ab", "without an end": "\x01a", "a pointer to itself": "\xc0\x0c", "a pointer forward": "\xc0\x0e\x00", "a pointer into the header": "\xc0\x00",
		"half a pointer": "\xc0", "a label of another kind": "\x40" + strings.Repeat("a", 64) + "\x00", "too long": strings.Repeat("\x01a", 127) + "\x01a\x00", "empty": "",
	} {
		m := append(bytes.Clone(head), name...)
		assert.Zero(t, dnswire.CheckName(m, len(head)), what)
		_, end := dnswire.AppendName(nil, m, len(head))
		assert.Zero(t, end, what)
	}
	m := append(bytes.Clone(head), strings.Repeat("\x01a", 127)+"\x00"...)
	assert.Equal(t, len(m), dnswire.CheckName(m, len(head)), "as long as a name may be")
}

func TestIsWithin(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"example.org.": true, "a.b.example.org.": true, "notexample.org.": false, "org.": false, ".": false} {
		assert.Equal(t, want, dnswire.IsWithin(wire(t, name), wire(t, "example.org.")), name)
		assert.True(t, dnswire.IsWithin(wire(t, name), []byte{0}), name)
	}
}

func TestRestoreCase(t *testing.T) {
	t.Parallel()
	name := wire(t, "Www.Example.org.")
	for _, owner := range []string{"wWW.eXAMPLE.ORG.", "EXAMPLE.org."} {
		got := wire(t, owner)
		dnswire.RestoreCase(got, name)
		assert.True(t, bytes.HasSuffix(name, got), owner)
	}
	other := wire(t, "OTHER.org.")
	dnswire.RestoreCase(other, name)
	assert.Equal(t, wire(t, "OTHER.org."), other)
	target := wire(t, "WWW.to.TEST.")
	dnswire.RestoreLabels(target, name)
	assert.Equal(t, wire(t, "Www.to.TEST."), target)
}

func TestOPT(t *testing.T) {
	t.Parallel()
	m := packed(t, "example.org.")
	opt, ok := dnswire.AsOPT(m[dnswire.QuestionEnd(m):])
	require.True(t, ok)
	assert.Equal(t, 1400, opt.Size())
	assert.True(t, opt.DO())
	assert.Zero(t, opt.Version())
	assert.Zero(t, opt.Length())
	_, ok = dnswire.AsOPT(m[dnswire.HeaderSize:])
	assert.False(t, ok)
	options := []byte{0, 10, 0, 1, 7, 0, 11, 0, 0, 0, 12, 0, 9}
	assert.True(t, dnswire.HasOption(options, 10))
	assert.True(t, dnswire.HasOption(options, 11))
	assert.False(t, dnswire.HasOption(options, 12), "it is cut")
}

// FuzzMessage walks messages that break off anywhere. Names and records that are found well-formed are so for
// miekg/dns.
func FuzzMessage(f *testing.F) {
	f.Add(packed(f, "a.test.", "a.test. CNAME b.a.test.", "b.a.test. MX 1 m.test.", "test. SOA a. b. 1 2 3 4 5"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, m []byte) {
		if len(m) < dnswire.HeaderSize {
			return
		}
		n := 0
		for r := range dnswire.Records(m) {
			require.Len(t, r.TTL, 4)
			n++
		}
		assert.LessOrEqual(t, n*11, len(m))
		for off := dnswire.HeaderSize; off < len(m); off++ {
			end := dnswire.CheckName(m, off)
			name, same := dnswire.AppendName(nil, m, off)
			require.Equal(t, end, same)
			if end == 0 {
				continue
			}
			want, wantEnd, err := dns.UnpackDomainName(m, off)
			require.NoError(t, err)
			require.Equal(t, wantEnd, end)
			require.Equal(t, end, dnswire.SkipName(m, off))
			got, _, err := dns.UnpackDomainName(name, 0)
			require.NoError(t, err)
			require.True(t, strings.EqualFold(want, got), "%s %s", want, got)
			require.True(t, dnswire.EqualNames(m, off, off))
		}
		dnswire.CheckRecord(m, dnswire.HeaderSize)
	})
}
