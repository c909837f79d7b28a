package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
)

var update = flag.Bool("update", false, "write the vectors again")

const vectors = "../../testdata/vectors/receipts"

// newKey makes a key whose seed is the SHA-256 of its holder's name.
func newKey(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	private, public, err := note.GenerateKey(bytes.NewReader(append(seed[:], seed[:]...)), name)
	require.NoError(t, err)
	s, err := receipt.ParseSigner(private + "\n")
	require.NoError(t, err)
	return s, public
}

func known(t testing.TB, names ...string) receipt.Keys {
	t.Helper()
	var text strings.Builder
	for _, name := range names {
		_, public := newKey(t, name)
		text.WriteString(public + "\n")
	}
	keys, err := receipt.ParseKeys(text.String())
	require.NoError(t, err)
	return keys
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func example() receipt.Receipt {
	return receipt.Receipt{
		List: "it.example/csam", Serial: 42, Digest: strings.Repeat("5a", 32),
		Received: at("2026-11-22T08:00:01Z"), Enforced: at("2026-11-22T08:00:02Z"),
		Asked: receipt.Asked{Test: 2, Gone: 2, Added: 8, Removed: 3},
	}
}

const exampleText = `argine-receipt: 1
list: it.example/csam
serial: 42
digest: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a
received: 2026-11-22T08:00:01Z
enforced: 2026-11-22T08:00:02Z
probe: test=2 gone=2 added=8 removed=3
`

func TestSignAndOpen(t *testing.T) {
	key, _ := newKey(t, "isp.example")
	want := example()
	late := want
	late.Received, late.Enforced = want.Received.Add(7*time.Millisecond).In(time.FixedZone("", 3600)), want.Enforced.Add(time.Second/3)
	b, err := late.Sign(key)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(b), exampleText+"\n— isp.example "), "%s", b)
	got, holder, err := receipt.Open(b, known(t, "other.example", "isp.example"))
	require.NoError(t, err)
	assert.Equal(t, "isp.example", holder)
	assert.Equal(t, want, got)

	for _, break_ := range []func(*receipt.Receipt){
		func(r *receipt.Receipt) { r.List = "IT/x" },
		func(r *receipt.Receipt) { r.Serial = 0 },
		func(r *receipt.Receipt) { r.Digest = "12" },
		func(r *receipt.Receipt) { r.Digest = strings.Repeat("5A", 32) },
		func(r *receipt.Receipt) { r.Enforced = r.Received.Add(-time.Second) },
		func(r *receipt.Receipt) { r.Asked.Test = 0 },
		func(r *receipt.Receipt) { r.Asked.Gone = 0 },
		func(r *receipt.Receipt) { r.Asked.Removed = -1 },
		func(r *receipt.Receipt) { r.Asked.Added = 1_000_000 },
	} {
		wrong := example()
		break_(&wrong)
		_, err := wrong.Sign(key)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, "%+v", wrong)
	}
}

// signed signs any text.
func signed(t testing.TB, text string, names ...string) []byte {
	t.Helper()
	var keys []note.Signer
	for _, name := range names {
		key, _ := newKey(t, name)
		keys = append(keys, key)
	}
	b, err := note.Sign(&note.Note{Text: text}, keys...)
	require.NoError(t, err)
	return b
}

// vector is one case: a reader knows the key of isp.example, whose seed is the SHA-256 of that name, and opens body.
type vector struct {
	comment, expect, says string
	body                  []byte
}

func makeVectors(t *testing.T) map[string]vector {
	alter := func(old, now string) string {
		require.Contains(t, exampleText, old)
		return strings.Replace(exampleText, old, now, 1)
	}
	by := func(text string) []byte { return signed(t, text, "isp.example") }
	good := by(exampleText)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(good[bytes.LastIndexByte(good, ' ')+1:])))
	require.NoError(t, err)
	raw[20] ^= 1
	return map[string]vector{
		"receipt":          {"a receipt", "ok", "", good},
		"altered":          {"a word was changed after signing", "untrusted", "not valid", bytes.Replace(good, []byte("serial: 42"), []byte("serial: 43"), 1)},
		"signature":        {"a bit of the signature is wrong", "untrusted", "not valid", append(good[:bytes.LastIndexByte(good, ' ')+1:bytes.LastIndexByte(good, ' ')+1], base64.StdEncoding.EncodeToString(raw)+"\n"...)},
		"stranger":         {"signed by a key that is not known", "untrusted", "no key that is known", signed(t, exampleText, "eva.example")},
		"two-signatures":   {"signed by a second key as well", "malformed", "more than one signature", signed(t, exampleText, "isp.example", "eva.example")},
		"unsigned":         {"no signature", "malformed", "malformed note", []byte(exampleText)},
		"magic":            {"another version of the format", "malformed", "", by(alter("receipt: 1", "receipt: 2"))},
		"list-name":        {"a name that no list can have", "malformed", "list name", by(alter("it.example/csam", "IT.example/csam"))},
		"serial-zero":      {"serials begin with 1", "malformed", "serial 0", by(alter("serial: 42", "serial: 0"))},
		"serial-spelling":  {"a number begins with 0", "malformed", "written", by(alter("serial: 42", "serial: 042"))},
		"serial-too-large": {"a serial beyond 2^63", "malformed", "serial", by(alter("serial: 42", "serial: 9223372036854775808"))},
		"digest-case":      {"hexadecimal digits are in lower case", "malformed", "digest", by(alter("5a5a5a5a", "5A5a5a5a"))},
		"digest-short":     {"a digest has 64 digits", "malformed", "digest", by(alter("5a5a5a5a", "5a5a5a"))},
		"time-zone":        {"a time that is not written in UTC", "malformed", "written", by(alter("08:00:01Z", "09:00:01+01:00"))},
		"time-fraction":    {"a time with a fraction of a second", "malformed", "written", by(alter("08:00:01Z", "08:00:01.5Z"))},
		"time-order":       {"enforced before it was received", "malformed", "received", by(alter("enforced: 2026-11-22T08:00:02Z", "enforced: 2026-11-22T08:00:00Z"))},
		"probe-no-test":    {"the canary was not asked for", "malformed", "canaries", by(alter("test=2", "test=0"))},
		"probe-no-gone":    {"the canary of another serial was not asked for", "malformed", "canaries", by(alter("gone=2", "gone=0"))},
		"probe-order":      {"the parts of the probe are exchanged", "malformed", "", by(alter("added=8 removed=3", "removed=3 added=8"))},
		"line-missing":     {"there is no time of reception", "malformed", "", by(alter("received: 2026-11-22T08:00:01Z\n", ""))},
		"line-more":        {"a line that no one knows", "malformed", "written", by(exampleText + "comment: none\n")},
		"crlf":             {"lines end with CR and LF", "malformed", "", by(strings.ReplaceAll(exampleText, "\n", "\r\n"))},
		"too-large":        {"longer than a receipt may be", "too large", "limit", append(slices.Clone(good), bytes.Repeat([]byte("— x AAAAAAAA\n"), 200)...)},
	}
}

// TestVectors checks what a reader does with each file of testdata/vectors/receipts.
func TestVectors(t *testing.T) {
	if *update {
		for name, v := range makeVectors(t) {
			head := fmt.Sprintf("comment: %s\nexpect: %s\n", v.comment, v.expect)
			if v.says != "" {
				head += fmt.Sprintf("error: %s\n", v.says)
			}
			require.NoError(t, os.WriteFile(filepath.Join(vectors, name+".txt"), append([]byte(head+"\n"), v.body...), 0o644))
		}
	}
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	require.NoError(t, err)
	require.Len(t, files, len(makeVectors(t)))
	classes := map[string]error{"malformed": blocklist.ErrMalformed, "untrusted": blocklist.ErrUntrusted, "too large": blocklist.ErrTooLarge}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			head, body, ok := bytes.Cut(b, []byte("\n\n"))
			require.True(t, ok)
			fields := map[string]string{}
			for line := range strings.Lines(string(head)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				fields[key] = value
			}
			got, holder, err := receipt.Open(body, known(t, "isp.example"))
			if fields["expect"] == "ok" {
				require.NoError(t, err)
				assert.Equal(t, example(), got)
				assert.Equal(t, "isp.example", holder)
				return
			}
			require.Contains(t, classes, fields["expect"])
			require.ErrorIs(t, err, classes[fields["expect"]])
			assert.ErrorContains(t, err, fields["error"])
		})
	}
}

func TestKeys(t *testing.T) {
	_, public := newKey(t, "isp.example")
	_, err := receipt.ParseKeys(public + "\n\n" + public)
	assert.ErrorContains(t, err, "two are named")
	_, err = receipt.ParseKeys("isp.example")
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	keys := known(t, "a.example", "b.example")
	assert.Equal(t, []string{"a.example", "b.example"}, slices.Sorted(maps.Keys(keys)))
	_, err = receipt.ParseSigner(public)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	_, err = receipt.ParseSigner("-----BEGIN AGE ENCRYPTED FILE-----\n")
	assert.ErrorContains(t, err, "--no-passphrase")
}

func TestSplit(t *testing.T) {
	one := signed(t, exampleText, "isp.example")
	two := signed(t, strings.Replace(exampleText, "42", "43", 1), "isp.example")
	var got [][]byte
	for b, err := range receipt.Split(iotest.OneByteReader(bytes.NewReader(slices.Concat(one, two, one)))) {
		require.NoError(t, err)
		got = append(got, slices.Clone(b))
	}
	assert.Equal(t, [][]byte{one, two, one}, got)
	for range receipt.Split(bytes.NewReader(nil)) {
		t.Error("there is none")
	}
	for _, endless := range []string{"x", "x\n"} {
		var last error
		for _, err := range receipt.Split(strings.NewReader(strings.Repeat(endless, 10_000))) {
			last = err
		}
		assert.ErrorIs(t, last, blocklist.ErrTooLarge)
	}
}

func FuzzOpen(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	require.NoError(f, err)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		_, body, _ := strings.Cut(string(b), "\n\n")
		text, _, _ := strings.Cut(body, "\n\n")
		f.Add(text + "\n")
	}
	key, _ := newKey(f, "isp.example")
	keys := known(f, "isp.example")
	f.Fuzz(func(t *testing.T, text string) {
		for range receipt.Split(strings.NewReader(text)) {
		}
		b, err := note.Sign(&note.Note{Text: text}, key)
		if err != nil {
			return
		}
		r, _, err := receipt.Open(b, keys)
		if err != nil {
			return
		}
		again, err := r.Sign(key)
		require.NoError(t, err)
		require.Equal(t, b, again, "what is accepted is written again in the same bytes")
	})
}
