package trust_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

var (
	anna   = trusttest.NewPerson("anna")
	bruno  = trusttest.NewPerson("bruno")
	carla  = trusttest.NewPerson("carla")
	dora   = trusttest.NewPerson("dora")
	online = trusttest.NewPerson("origin")
)

func spec() trust.RootSpec {
	return trust.RootSpec{
		List: trusttest.List, Version: 1, Expires: time.Now().Add(time.Hour), Threshold: 2,
		Officers: []notekey.Key{anna.Key, bruno.Key, carla.Key}, Online: online.Key,
	}
}

func TestRootSaysWhatItWasMadeFrom(t *testing.T) {
	want := spec()
	b, err := trust.NewRoot(want)
	require.NoError(t, err)
	root, err := trust.ParseRoot(b)
	require.NoError(t, err)
	want.Expires = want.Expires.UTC().Truncate(time.Second)
	assert.Equal(t, want, root.Spec())
	assert.Equal(t, b, root.Bytes())
}

// A threshold that no one or one person twice could reach is refused when a root is made, and when it is read.
func TestRootRules(t *testing.T) {
	tests := map[string]func(*trust.RootSpec){
		"threshold 0":            func(s *trust.RootSpec) { s.Threshold = 0 },
		"negative threshold":     func(s *trust.RootSpec) { s.Threshold = -1 },
		"threshold out of reach": func(s *trust.RootSpec) { s.Threshold = 4 },
		"no officers":            func(s *trust.RootSpec) { s.Officers = nil },
		"one key under two names": func(s *trust.RootSpec) {
			s.Officers[2] = notekey.Key{Name: "another", Public: anna.Public}
		},
		"one name twice":        func(s *trust.RootSpec) { s.Officers[2].Name = "anna" },
		"online key of officer": func(s *trust.RootSpec) { s.Online = notekey.Key{Name: "origin", Public: anna.Public} },
		"short key":             func(s *trust.RootSpec) { s.Officers[0].Public = anna.Public[:31] },
		"no name":               func(s *trust.RootSpec) { s.Officers[0].Name = "" },
		"bad list":              func(s *trust.RootSpec) { s.List = "../it" },
		"version 0":             func(s *trust.RootSpec) { s.Version = 0 },
		"no expiry":             func(s *trust.RootSpec) { s.Expires = time.Time{} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec()
			spoil(&s)
			_, err := trust.NewRoot(s)
			assert.ErrorIs(t, err, blocklist.ErrMalformed)
		})
	}
}

// The same rules hold for a root that someone else has written.
func TestParseRootRefuses(t *testing.T) {
	good, err := trust.NewRoot(spec())
	require.NoError(t, err)
	edit := func(old, now string) []byte {
		out := bytes.ReplaceAll(good, []byte(old), []byte(now))
		require.NotEqual(t, good, out)
		return out
	}
	annaHex, brunoHex := hexKey(anna), hexKey(bruno)
	tests := map[string][]byte{
		"empty":                {},
		"not JSON":             []byte("<html>"),
		"cut short":            good[:len(good)/2],
		"something behind":     append(bytes.Clone(good), '{', '}'),
		"threshold 0":          edit(`"threshold":2`, `"threshold":0`),
		"threshold 4":          edit(`"threshold":2`, `"threshold":4`),
		"key under other's id": edit(brunoHex, annaHex),
		"other key type":       edit(`"keytype":"ed25519"`, `"keytype":"rsa"`),
		"upper case duplicate": edit(`"version":1`, `"version":1,"Version":7`),
		"duplicate":            edit(`"version":1`, `"version":1,"version":1`),
		"null key":             edit(`{"keytype"`, `null,"x":{"keytype"`),
		"null roles":           edit(`"roles":`, `"roles":null,"x":`),
		"float":                edit(`"version":1`, `"version":1.5`),
		"wrong type":           edit(`"_type":"root"`, `"_type":"targets"`),
		"not consistent":       edit(`"consistent_snapshot":true`, `"consistent_snapshot":false`),
		"no list":              edit(`x-argine-list`, `x-argine-lost`),
		"deep":                 edit(`"version":1`, `"version":1,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)),
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := trust.ParseRoot(doc)
			assert.ErrorIs(t, err, blocklist.ErrMalformed)
		})
	}
	_, err = trust.ParseRoot(append(good, bytes.Repeat([]byte(" "), tuf.MaxRoot)...))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

func hexKey(p trusttest.Person) string {
	var b bytes.Buffer
	for _, c := range p.Public {
		b.WriteString(strings.ToLower(string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15])))
	}
	return b.String()
}

// go-tuf could be asked to count one key under two identifiers; our roots never get that far, and signatures of others,
// repeated or forged, do not count.
func TestSignaturesCountDistinctOfficers(t *testing.T) {
	b, err := trust.NewRoot(spec())
	require.NoError(t, err)
	root, err := trust.ParseRoot(b)
	require.NoError(t, err)

	b = trusttest.Sign(t, b, anna, dora, online, anna)
	s, err := trust.CheckSignatures(root, b)
	require.NoError(t, err)
	assert.Equal(t, []notekey.Key{anna.Key}, s.Signed)
	assert.Equal(t, []notekey.Key{bruno.Key, carla.Key}, s.Missing)
	assert.False(t, s.Enough())
	err = s.Err("root 1")
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "bruno, carla")

	var doc map[string]any
	require.NoError(t, json.Unmarshal(b, &doc))
	sigs := doc["signatures"].([]any)
	doc["signatures"] = append(sigs, sigs[0])
	doubled, err := json.Marshal(doc)
	require.NoError(t, err)
	s, err = trust.CheckSignatures(root, doubled)
	require.NoError(t, err)
	assert.Len(t, s.Signed, 1)

	_, err = verifyRoot(b)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	_, err = verifyRoot(trusttest.Sign(t, b, carla))
	assert.NoError(t, err)
}

// A signature covers the signed part, however it is laid out, and nothing but it.
func TestSignKeepsTheSignedPart(t *testing.T) {
	b, err := trust.NewRoot(spec())
	require.NoError(t, err)
	signed := trusttest.Sign(t, b, anna, bruno)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, signed, "", "  "))
	root, err := verifyRoot(indented.Bytes())
	require.NoError(t, err)
	first, err := verifyRoot(signed)
	require.NoError(t, err)
	assert.Equal(t, first.ID(), root.ID())

	_, err = verifyRoot(bytes.Replace(signed, []byte(trusttest.List), []byte("it.example/tesu"), 1))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
}

func TestNextRoot(t *testing.T) {
	first, err := verifyRoot(newRoot(t, spec(), anna, bruno))
	require.NoError(t, err)
	next := spec()
	next.Version, next.Officers = 2, []notekey.Key{anna.Key, dora.Key, carla.Key}

	_, err = checkNextRoot(first, newRoot(t, next, anna, carla))
	assert.NoError(t, err, "two of the old, two of the new")
	_, err = checkNextRoot(first, newRoot(t, next, anna, bruno, dora))
	assert.NoError(t, err, "anna counts on both sides")
	_, err = checkNextRoot(first, newRoot(t, next, anna, bruno))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "one of the new")
	_, err = checkNextRoot(first, newRoot(t, next, anna, dora))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "one of the old")
	assert.ErrorContains(t, err, "bruno, carla")

	skipped := next
	skipped.Version = 3
	_, err = checkNextRoot(first, newRoot(t, skipped, anna, carla))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "a root in between is missing")
	other := next
	other.List = "it.example/other"
	_, err = checkNextRoot(first, newRoot(t, other, anna, carla))
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "another list")
}

func newRoot(t *testing.T, s trust.RootSpec, signers ...trusttest.Person) []byte {
	t.Helper()
	b, err := trust.NewRoot(s)
	require.NoError(t, err)
	return trusttest.Sign(t, b, signers...)
}

func TestKeyText(t *testing.T) {
	got, err := notekey.Parse("  " + anna.String() + "\n")
	require.NoError(t, err)
	assert.Equal(t, anna.Key, got)
	for _, text := range []string{"", "anna", anna.String() + "x", "anna " + anna.String(), "PRIVATE+KEY+anna+0+0", strings.Repeat("a", 4096)} {
		_, err := notekey.Parse(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
	}
	_, err = notekey.Parse("PRIVATE+KEY+anna+12345678+AAAA")
	assert.ErrorContains(t, err, "private key")
}

func FuzzParseRoot(f *testing.F) {
	b, err := trust.NewRoot(spec())
	require.NoError(f, err)
	f.Add(b)
	f.Add(trusttest.Sign(f, b, anna, bruno))
	f.Add([]byte(`{"signed":{"_type":"root","keys":{"a":null},"roles":{"root":null}},"signatures":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := trust.ParseRoot(b)
		if err != nil {
			return
		}
		s := root.Spec()
		assert.True(t, s.Threshold >= 1 && s.Threshold <= len(s.Officers))
		again, err := trust.NewRoot(s)
		if err == nil { // an expiry may have had fractions of seconds
			_, err = trust.ParseRoot(again)
		}
		assert.NoError(t, err)
		_, err = trust.CheckSignatures(root, b)
		assert.NoError(t, err)
	})
}
