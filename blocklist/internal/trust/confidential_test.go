package trust_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// listKey is the key of confidential lists in tests.
var listKey = trust.ListKey(bytes.Repeat([]byte{7}, 32))

// subscriberKeys makes a key pair of a kind.
func subscriberKeys(t *testing.T, kind string) (trust.Identities, trust.Recipient) {
	t.Helper()
	var private, public string
	if kind == trust.KindHybrid {
		id, err := age.GenerateHybridIdentity()
		require.NoError(t, err)
		private, public = id.String(), id.Recipient().String()
	} else {
		id, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		private, public = id.String(), id.Recipient().String()
	}
	ids, err := trust.ParseIdentities([]byte("# created: today\n" + private + "\n"))
	require.NoError(t, err)
	r, err := trust.ParseRecipient(public)
	require.NoError(t, err)
	assert.Equal(t, kind, r.Kind)
	assert.Equal(t, public, r.String())
	return ids, r
}

// confidential makes an agency of a confidential list.
func confidential(t *testing.T) *trusttest.Agency {
	t.Helper()
	a := trusttest.NewAgency(t, online.Key)
	a.Key, a.Roots = listKey, nil
	a.Rotate()
	return a
}

func openRoot(t *testing.T, a *trusttest.Agency) *trust.Root {
	t.Helper()
	root, err := trust.OpenRoot(a.Roots[0])
	require.NoError(t, err)
	return root
}

// opener opens the files of a release.
func opener(r trusttest.Release) trust.Open {
	return func(f trust.File) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Files[f.Path])), nil }
}

func TestConfidentialRelease(t *testing.T) {
	a := confidential(t)
	root := openRoot(t, a)
	assert.True(t, root.Spec().Confidential)
	r := a.Delta(a.Release(1, "example.org", "example.net"), "-example.net", "+www.example.com")
	signed, err := openTargets(root, r.Targets)
	require.NoError(t, err)

	_, err = signed.Open(nil)
	require.ErrorIs(t, err, blocklist.ErrNoKey)
	_, err = signed.Open(trust.NewListKey())
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	spec, err := signed.Open(listKey)
	require.NoError(t, err)

	way, ok := spec.UpdatePath(0)
	require.True(t, ok)
	var entries []string
	for e, err := range trust.Entries(way, opener(r)) {
		require.NoError(t, err)
		entries = append(entries, e.String())
	}
	assert.Equal(t, []string{"example.org", "www.example.com"}, entries)

	again, err := trust.NewTargets(spec)
	require.NoError(t, err)
	respec, err := trust.ParseTargets(again)
	require.NoError(t, err)
	assert.Equal(t, signed.Files, respec.Files)
	assert.Equal(t, signed.Keys, respec.Keys)
	assert.Equal(t, signed.KeyID, respec.KeyID)
}

// Anyone who has the metadata of two releases and a dictionary must not find out what has changed.
func TestDigestsTellNothing(t *testing.T) {
	guessed := "www.example.com"
	for _, key := range []trust.ListKey{nil, listKey} {
		a := trusttest.NewAgency(t, online.Key)
		a.Key = key
		spec, err := trust.ParseTargets(a.Delta(a.Release(1, "example.org"), "+"+guessed).Targets)
		require.NoError(t, err)
		before, _ := spec.State(1)
		digest, err := blocklist.ParseDigest(before.Digest)
		require.NoError(t, err)
		digest.Add([]byte(guessed))
		assert.Equal(t, key == nil, digest.String() == spec.Newest().Digest, "the attack must work on a list in the clear alone")
	}
}

func TestMaskIsNeverTheSame(t *testing.T) {
	a := confidential(t)
	seen := map[string]bool{}
	for serial := range uint64(20) {
		spec, err := trust.ParseTargets(a.Release(serial+1, "example.org").Targets)
		require.NoError(t, err)
		assert.False(t, seen[spec.Newest().Digest])
		seen[spec.Newest().Digest] = true
	}
}

func TestNoDowngrade(t *testing.T) {
	a := confidential(t)
	root := openRoot(t, a)
	plain := trusttest.NewAgency(t, online.Key)
	_, err := openTargets(root, plain.Release(1, "example.org").Targets)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "in the clear")
	_, err = openTargets(openRoot(t, plain), a.Release(1, "example.org").Targets)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "encrypted")

	a.Key = nil
	a.Rotate()
	_, err = checkNextRoot(root, a.Roots[1])
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "stays confidential")
	plain.Key = listKey
	plain.Rotate()
	_, err = checkNextRoot(openRoot(t, plain), plain.Roots[1])
	assert.NoError(t, err, "a list may become confidential")
}

func TestOverrideIsSealed(t *testing.T) {
	a := confidential(t)
	spec, err := trust.ParseTargets(a.Release(1, "example.org").Targets)
	require.NoError(t, err)
	spec, err = spec.Open(listKey)
	require.NoError(t, err)
	spec.Files[0].Release.Override = "the order is for all of example.net"
	b, err := trust.NewTargets(spec)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "order is")
	again, err := trust.ParseTargets(b)
	require.NoError(t, err)
	again, err = again.Open(listKey)
	require.NoError(t, err)
	assert.Equal(t, spec.Files, again.Files)
	spec.Files[0].Release.Override = strings.Repeat("x", 1025)
	_, err = trust.NewTargets(spec)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

func TestSealedOrders(t *testing.T) {
	a := confidential(t)
	a.Urgent = trust.Urgent{Entries: 1, Hours: 24}
	a.Rotate()
	root, err := trust.OpenRoot(a.Roots[1])
	require.NoError(t, err)
	doc := a.Orders(1, 7, []string{order}, carla)
	assert.NotContains(t, string(doc), "bad.example")
	blind, err := trust.OpenUrgent(root, doc, nil)
	require.NoError(t, err)
	assert.Empty(t, blind.Entries)
	spec, err := trust.OpenUrgent(root, doc, listKey)
	require.NoError(t, err)
	assert.Equal(t, order, spec.Entries[0].String())
	_, err = trust.OpenUrgent(root, doc, trust.NewListKey())
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	empty, err := trust.OpenUrgent(root, a.Orders(2, 7, nil, carla), listKey)
	require.NoError(t, err)
	assert.Empty(t, empty.Entries)
	assert.Len(t, a.Orders(1, 7, nil, carla), len(doc), "the length must not tell how many there are")

	two := strings.Replace(order, " ", ".test ", 1)
	_, err = trust.OpenUrgent(root, a.Orders(1, 7, []string{order, two}, carla), listKey)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	a.Key = nil
	_, err = trust.OpenUrgent(root, a.Orders(1, 7, []string{order}, carla), listKey)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "encrypted")
}

func TestKeyFiles(t *testing.T) {
	a := confidential(t)
	hybrid, hybridTo := subscriberKeys(t, trust.KindHybrid)
	classic, classicTo := subscriberKeys(t, trust.KindX25519)
	stranger, _ := subscriberKeys(t, trust.KindX25519)
	a.To = []trust.Recipient{hybridTo, classicTo}
	r := a.Release(1, "example.org")
	spec, err := openTargets(openRoot(t, a), r.Targets)
	require.NoError(t, err)
	require.Len(t, spec.Keys, 2)
	for kind, ids := range map[string]trust.Identities{trust.KindHybrid: hybrid, trust.KindX25519: classic} {
		f, ok := spec.KeyFile(kind)
		require.True(t, ok)
		require.NoError(t, trust.CheckSealed(bytes.NewReader(r.Files[f.Path]), f))
		k, err := ids.DecryptKey(r.Files[f.Path])
		require.NoError(t, err)
		assert.Equal(t, listKey, k)
		_, err = stranger.DecryptKey(r.Files[f.Path])
		require.ErrorIs(t, err, blocklist.ErrNoKey)
		_, err = trust.Identities(nil).DecryptKey(r.Files[f.Path])
		require.ErrorIs(t, err, blocklist.ErrNoKey)
	}
	f, _ := spec.KeyFile(trust.KindHybrid)
	_, err = hybrid.DecryptKey(r.Files[f.Path][:200])
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	err = trust.CheckSealed(bytes.NewReader(r.Files["key-x25519.age"]), f)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	for _, text := range []string{"", "age1", "AGE-SECRET-KEY-1", classicTo.String() + "\n" + hybridTo.String(), strings.Repeat("#\n", 3)} {
		_, err := trust.ParseRecipient(text)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
		_, err = trust.ParseIdentities([]byte(text))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, text)
	}
}

func TestKeyFilesAreLimited(t *testing.T) {
	a := confidential(t)
	spec, err := trust.ParseTargets(a.Release(1, "example.org").Targets)
	require.NoError(t, err)
	spec, err = spec.Open(listKey)
	require.NoError(t, err)
	for length, want := range map[int64]error{trust.MaxKeyFile: nil, trust.MaxKeyFile + 1: blocklist.ErrMalformed, 0: blocklist.ErrMalformed} {
		spec.Keys = []trust.File{trust.NewKeyFile(trust.KindX25519, length, make([]byte, 32))}
		_, err = trust.NewTargets(spec)
		require.ErrorIs(t, err, want)
	}
	_, err = trust.ParseIdentities(make([]byte, 1<<20))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

func TestListKeyText(t *testing.T) {
	k := trust.NewListKey()
	again, err := trust.ParseListKey(k.Text() + "\n")
	require.NoError(t, err)
	assert.Equal(t, k, again)
	assert.NotContains(t, fmt.Sprint(k, []any{k}), k.Text()[:8])
	for _, text := range []string{"", k.Text()[1:], k.Text() + "00", "x" + k.Text()[1:]} {
		_, err := trust.ParseListKey(text)
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.True(t, text == "" || !strings.Contains(err.Error(), text))
	}
}

// What is not sealed as it must be is refused before any work is done for it.
func TestUnsealRefuses(t *testing.T) {
	a := confidential(t)
	h, text := a.Text(1, "example.org")
	plain := trusttest.Compress(t, text)
	good := a.Seal(plain)
	costly, err := age.NewScryptRecipient(listKey.Text())
	require.NoError(t, err)
	costly.SetWorkFactor(10)
	_, to := subscriberKeys(t, trust.KindX25519)
	recipient, err := age.ParseX25519Recipient(to.String())
	require.NoError(t, err)
	other := *a
	other.Key = trust.NewListKey()
	for name, c := range map[string]struct {
		file []byte
		want error
		says string
	}{
		"plain":        {plain, blocklist.ErrMalformed, "not encrypted"},
		"other key":    {other.Seal(plain), blocklist.ErrUntrusted, "does not open"},
		"work factor":  {encrypt(t, plain, costly), blocklist.ErrMalformed, "work factor"},
		"public key":   {encrypt(t, plain, recipient), blocklist.ErrMalformed, "not encrypted"},
		"cut":          {good[:len(good)-5], blocklist.ErrMalformed, "decrypting"},
		"cut header":   {good[:60], blocklist.ErrMalformed, "header"},
		"long header":  {append([]byte("age-encryption.org/v1\n-> scrypt "), make([]byte, 1<<20)...), blocklist.ErrMalformed, "work factor"},
		"two stanzas":  {bytes.Replace(good, []byte("\n--- "), []byte("\n-> x\n\n--- "), 1), blocklist.ErrMalformed, "one scrypt"},
		"not the text": {a.Seal([]byte("what is this")), blocklist.ErrMalformed, "decompressing"},
	} {
		r := a.Pack(h, c.file)
		signed, err := trust.ParseTargets(r.Targets)
		require.NoError(t, err)
		spec, err := signed.Open(listKey)
		require.NoError(t, err)
		for _, got := range trust.Changes(spec.Files[0], spec, opener(r)) {
			err = got
		}
		require.ErrorIs(t, err, c.want, name)
		assert.ErrorContains(t, err, c.says, name)
	}
}

func encrypt(t *testing.T, plain []byte, to age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// A digest that was masked for another serial does not fit the file.
func TestWrongMaskedDigest(t *testing.T) {
	a := confidential(t)
	h, text := a.Text(1, "example.org")
	h.Digest.Add([]byte("example.net"))
	r := a.Pack(h, a.Seal(trusttest.Compress(t, text)))
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	spec, err = spec.Open(listKey)
	require.NoError(t, err)
	_, _, err = trust.OpenRelease(bytes.NewReader(r.Files[spec.Files[0].Path]), spec.Files[0])
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
}

func FuzzUnseal(f *testing.F) {
	w := &bytes.Buffer{}
	sealed, err := listKey.Seal(w)
	require.NoError(f, err)
	_, err = sealed.Write([]byte("example.org"))
	require.NoError(f, err)
	require.NoError(f, sealed.Close())
	f.Add(w.Bytes())
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\n"))
	f.Add([]byte("age-encryption.org/v1\n-> X25519 "))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := trust.File{Path: "delta-1-2.txt.zst.age", Length: int64(len(b)), Key: listKey}
		if r, err := trust.OpenText(bytes.NewReader(b), file); err == nil {
			_, _ = io.Copy(io.Discard, r)
			assert.NoError(t, trust.CheckSealed(bytes.NewReader(b), file), "what opens has the form that an origin asks for")
			assert.NoError(t, r.Close())
		}
		_ = trust.CheckSealed(bytes.NewReader(b), trust.NewKeyFile(trust.KindX25519, 1, nil))
	})
}
