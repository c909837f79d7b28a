package publish_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// house is the agency of a confidential list, and its origin.
type house struct {
	*agency
	origin    *origin.Origin
	originDir string
	log       bytes.Buffer // of the origin
}

func newHouse(t testing.TB, confidential bool) *house {
	t.Helper()
	h := &house{originDir: filepath.Join(t.TempDir(), "origin")}
	key, err := origin.Init(h.originDir)
	require.NoError(t, err)
	h.agency = initAgencyWith(t, func(o *publish.InitOptions) {
		o.OriginKey, o.Confidential, o.Urgent = key, confidential, publish.UrgentLimits{Entries: 4, Hours: 24}
	})
	h.sign(t, h.anna, h.bruno)
	h.origin, err = origin.Open(h.originDir, origin.Options{Log: slog.New(slog.NewTextHandler(&h.log, nil))})
	require.NoError(t, err)
	root, err := os.ReadFile(filepath.Join(h.dir, "root.json"))
	require.NoError(t, err)
	_, err = h.origin.Trust(root)
	require.NoError(t, err)
	return h
}

func (h *house) deliver(ctx context.Context, _ string, bundle io.Reader) error {
	_, err := h.origin.Accept(ctx, bundle)
	return err
}

// publish makes, signs and pushes a release, and returns its targets as the origin serves them.
func (h *house) publish(t testing.TB) trust.TargetsSpec {
	t.Helper()
	_, _, err := h.Release(t.Context(), "anna")
	require.NoError(t, err)
	h.sign(t, h.anna, h.bruno)
	p, err := h.Push(t.Context(), h.deliver, toOrigin)
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(h.originDir, "lists", list, strconv.FormatUint(p.Serial, 10)+".targets.json"))
	require.NoError(t, err)
	spec, err := trust.ParseTargets(b)
	require.NoError(t, err)
	return spec
}

func (h *house) list(t testing.TB, lines ...string) {
	t.Helper()
	_, err := h.Add(t.Context(), entries(t, lines...), override)
	require.NoError(t, err)
}

func (h *house) subscribe(t testing.TB, name, kind string) {
	t.Helper()
	_, recipient, err := trust.NewIdentity(kind)
	require.NoError(t, err)
	require.NoError(t, h.AddSubscriber(t.Context(), name, recipient, cause))
}

// secrets are what the tests below list, order, write and subscribe.
var secrets = []string{"secret-name", "secret-ref", "secret-path", "192.0.2.77", "secret-order", "secret-category", "secret-why", "secret-isp"}

// Whatever the origin stores, serves and logs, nothing of the list is in it.
func TestOriginSeesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, true)
	h.subscribe(t, "secret-isp", trust.KindHybrid)
	h.list(t, "secret-name.example ref=secret-ref category=secret-category", "https://site.example/secret-path", "192.0.2.77", "example.org")
	_, err := h.Override(t.Context(), publish.Audit{Author: "anna", Reason: "secret-why"})
	require.NoError(t, err)
	h.publish(t)
	_, err = h.SignUrgent(t.Context(), publish.UrgentChange{Add: entries(t, "secret-order.example ref=secret-ref")}, h.anna, cause)
	require.NoError(t, err)
	_, err = h.PushUrgent(t.Context(), h.deliver, toOrigin)
	require.NoError(t, err)

	h.list(t, "secret-name.example ref=secret-ref-2", "com")
	h.end(t, "secret-order.example")
	_, err = h.Override(t.Context(), publish.Audit{Author: "anna", Reason: "secret-why"})
	require.NoError(t, err)
	h.publish(t)
	for i := range 5 {
		h.list(t, fmt.Sprintf("secret-name-%d.example", i))
		h.publish(t)
	}
	require.NoError(t, h.RemoveSubscriber(t.Context(), "secret-isp", cause))
	h.publish(t)

	_, err = h.origin.Accept(t.Context(), strings.NewReader("no bundle"))
	require.Error(t, err)
	assert.Contains(t, h.log.String(), "published")
	n := 0
	require.NoError(t, filepath.WalkDir(h.originDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		b, err := os.ReadFile(path)
		if strings.Contains(path, ".zst") {
			require.True(t, bytes.HasPrefix(b, []byte("age-encryption.org/v1\n-> scrypt ")), path)
		}
		for _, secret := range secrets {
			assert.NotContains(t, string(b)+h.log.String(), secret, path)
			assert.NotContains(t, path, secret)
		}
		return err
	}))
	assert.Greater(t, n, 20)
	v, err := h.Verify(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, 8, v.Releases)
}

// With a dictionary at hand, the digests of two releases tell what changed between them, and the ledger's head who
// wrote what; those of a confidential list don't.
func TestDictionaryAttack(t *testing.T) {
	t.Parallel()
	for _, confidential := range []bool{false, true} {
		h := newHouse(t, confidential)
		h.list(t, "example.org")
		before := h.publish(t)
		h.list(t, "guessed.example")
		after := h.publish(t)

		digest, err := blocklist.ParseDigest(before.Newest().Digest)
		require.NoError(t, err)
		digest.Add([]byte("guessed.example"))
		assert.Equal(t, !confidential, digest.String() == after.Newest().Digest)

		heads := map[string]bool{}
		for o, err := range h.Operations(t.Context()) {
			require.NoError(t, err)
			heads[o.Hash] = true
		}
		assert.Equal(t, !confidential, heads[before.Newest().Ledger])
		assert.Equal(t, !confidential, heads[after.Newest().Ledger])
	}
}

// The length of what changes a single entry does not tell the name.
func TestLengthsTellNothing(t *testing.T) {
	t.Parallel()
	lengths := map[int64]bool{}
	h := newHouse(t, true)
	h.list(t, "example.org")
	h.publish(t)
	for _, name := range []string{"a.example", strings.Repeat("b", 60) + ".example", "c.example category=fraud ref=\"order 2026/17\""} {
		h.list(t, name)
		spec := h.publish(t)
		serial := uint64(spec.Version)
		step, ok := spec.File(serial-1, serial)
		require.True(t, ok)
		lengths[step.Length] = true
	}
	assert.Len(t, lengths, 1)
}

func TestSubscribers(t *testing.T) {
	t.Parallel()
	plain := newAgency(t)
	_, recipient, err := trust.NewIdentity(trust.KindX25519)
	require.NoError(t, err)
	err = plain.AddSubscriber(t.Context(), "isp", recipient, cause)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "root --confidential")

	h := newHouse(t, true)
	h.list(t, "example.org")
	require.NoError(t, h.AddSubscriber(t.Context(), "isp", recipient, cause))
	for name, text := range map[string]string{"isp": "", "other": recipient, "": recipient, "a b": recipient, "bad": "age1", strings.Repeat("x", 65): recipient} {
		if text == "" {
			_, text, err = trust.NewIdentity(trust.KindHybrid)
			require.NoError(t, err)
		}
		require.Error(t, h.AddSubscriber(t.Context(), name, text, cause), name)
	}
	require.ErrorIs(t, h.RemoveSubscriber(t.Context(), "nobody", cause), publish.ErrNoSubscriber)
	first := h.publish(t)
	require.Len(t, first.Keys, 1)

	h.subscribe(t, "second", trust.KindHybrid)
	second := h.publish(t)
	require.Len(t, second.Keys, 2)
	assert.Equal(t, first.KeyID, second.KeyID)
	_, ok := second.File(1, 2)
	assert.True(t, ok)
	h.list(t, "www.example.net")
	third := h.publish(t)
	assert.Equal(t, second.Keys, third.Keys, "what is encrypted to the same people is not encrypted again")

	require.NoError(t, h.RemoveSubscriber(t.Context(), "isp", cause))
	_, _, err = h.Release(t.Context(), "anna")
	require.NoError(t, err)
	p, err := h.Pending()
	require.NoError(t, err)
	r, err := h.PendingRecipients(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, publish.Recipients{Subscribers: 1, Go: []string{"isp"}, NewKey: true}, r)
	assert.Empty(t, collect(t, h.Review(p)))
	require.NoError(t, h.Refuse(t.Context(), p, h.anna, cause))
	h.list(t, "www.example.com")
	fourth := h.publish(t)
	assert.NotEqual(t, third.KeyID, fourth.KeyID)
	assert.Len(t, fourth.Files, 1, "nothing that is under the old key stays")
	require.Len(t, fourth.Keys, 1)
	h.list(t, "www.example.org")
	assert.Equal(t, fourth.KeyID, h.publish(t).KeyID)
}

// A key that is encrypted to one more than there are subscribers is noticed before anybody signs.
func TestReadersAreCounted(t *testing.T) {
	t.Parallel()
	h := newHouse(t, true)
	h.subscribe(t, "isp", trust.KindX25519)
	h.list(t, "example.org")
	_, _, err := h.Release(t.Context(), "anna")
	require.NoError(t, err)
	path := filepath.Join(h.dir, "pending", "release", "targets.json")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	spec, err := trust.ParseTargets(b)
	require.NoError(t, err)
	keys, err := filepath.Glob(filepath.Join(h.dir, "keys", "*.key"))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	text, err := os.ReadFile(keys[0])
	require.NoError(t, err)
	key, err := trust.ParseListKey(string(text))
	require.NoError(t, err)
	spec, err = spec.Open(key)
	require.NoError(t, err)
	spec.Keys = nil
	b, err = trust.NewTargets(spec)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	p, err := h.Pending()
	require.NoError(t, err)
	_, err = h.PendingRecipients(t.Context(), p)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "0 x25519 recipients, there are 1")

	require.NoError(t, os.Remove(keys[0]))
	_, err = h.Pending()
	require.ErrorIs(t, err, blocklist.ErrNoKey)
}

func TestListBecomesConfidential(t *testing.T) {
	t.Parallel()
	h := newHouse(t, false)
	h.list(t, "example.org")
	h.publish(t)
	_, _, err := h.Release(t.Context(), "anna")
	require.ErrorIs(t, err, publish.ErrUnchanged)
	h.list(t, "www.example.net")
	_, err = h.NewRoot(t.Context(), publish.RootChange{Confidential: true}, cause)
	require.NoError(t, err)
	_, _, err = h.Release(t.Context(), "anna") // the root is not in force yet
	require.NoError(t, err)
	h.sign(t, h.anna, h.bruno)
	h.subscribe(t, "isp", trust.KindX25519)
	spec := h.publish(t)
	assert.True(t, spec.Confidential())
	assert.Len(t, spec.Files, 1)
	assert.Len(t, spec.Keys, 1)
	p, err := h.NewRoot(t.Context(), publish.RootChange{}, cause)
	require.NoError(t, err)
	assert.True(t, p.Confidential, "there is no way back")
	_, err = h.Verify(t.Context(), nil)
	require.NoError(t, err)
}

// A changed entry costs the same, however many subscribe. ARGINE_SUBSCRIBERS says how many; figures are logged.
func TestConfidentialSizes(t *testing.T) {
	t.Parallel()
	many, err := strconv.Atoi(os.Getenv("ARGINE_SUBSCRIBERS"))
	if err != nil {
		many = longtest.Rounds(6, 20)
	}
	var plain int64
	for _, n := range []int{-1, 0, 1, many} {
		h := newHouse(t, n >= 0)
		for i := range n {
			h.subscribe(t, fmt.Sprintf("isp-%d", i), trust.Kinds()[i%2])
		}
		h.list(t, "example.org", "www.example.net")
		h.publish(t)
		h.list(t, "www.example.com")
		spec := h.publish(t)
		step, ok := spec.File(1, 2)
		require.True(t, ok)
		if n < 0 {
			plain = step.Length
		}
		assert.LessOrEqual(t, step.Length, plain+450)
		t.Logf("%d subscribers: delta %d bytes, in the clear %d", n, step.Length, plain)
		for _, f := range spec.Keys {
			t.Logf("  %s %d bytes", f.Path, f.Length)
		}
	}
}
