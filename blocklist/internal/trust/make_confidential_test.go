package trust_test

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// Identities of the subscribers in vectors. Like all keys in them they are for tests alone.
const (
	hybridIdentity   = "AGE-SECRET-KEY-PQ-1TZTGGXX44XZQSE0P36GYAGZCHZDSLRLQ2V07V2CPCNRHJZDPM5DSCDJDEW"
	x25519Identity   = "AGE-SECRET-KEY-1HRS89JRMD35LJJFZRFQH5SVUUG5H58Z8A036T3XC43GZKC7UZ6DSPCDEGP"
	strangerIdentity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
)

const identityPart = "identity"

// confidential makes the vectors of confidential lists. Age encrypts to other bytes each time, so those that are there
// stay.
func (m *vectorMaker) confidential() {
	a := *m.agency
	a.Key, a.Roots, a.To = listKey, nil, []trust.Recipient{recipientOf(m.t, hybridIdentity), recipientOf(m.t, x25519Identity)}
	a.Urgent = trust.Urgent{Entries: 2, Hours: 24}
	a.Rotate()
	c := confidentialMaker{m, &a}
	c.roots()
	c.targets()
	c.files()
	c.keys()
	c.orders()
}

func recipientOf(t *testing.T, identity string) trust.Recipient {
	t.Helper()
	var public string
	if id, err := age.ParseHybridIdentity(identity); err == nil {
		public = id.Recipient().String()
	} else {
		id, err := age.ParseX25519Identity(identity)
		require.NoError(t, err)
		public = id.Recipient().String()
	}
	r, err := trust.ParseRecipient(public)
	require.NoError(t, err)
	return r
}

// confidentialMaker makes vectors from the agency of a confidential list.
type confidentialMaker struct {
	*vectorMaker
	a *trusttest.Agency
}

func (c confidentialMaker) trusted() part { return part{"trusted/root.json", c.a.Roots[0]} }

// add adds a bundle as a subscriber with an identity gets it.
func (c confidentialMaker) add(name, comment, expect, says, identity string, r trusttest.Release) {
	bundle := []byte(base64.StdEncoding.EncodeToString(c.a.Bundle(r)))
	c.vectorMaker.add("confidential"+name, comment, expect, says, c.trusted(), part{identityPart, []byte(identity)}, part{bundlePart, bundle})
}

func (c confidentialMaker) roots() {
	root := c.a.Roots[0]
	c.vectorMaker.add("root-confidential", "the root of a confidential list", "ok", "", c.trusted())
	c.vectorMaker.add("root-confidential-false", "it is left out where it is not true", "malformed", "x-argine-confidential",
		part{"trusted/root.json", c.sign(c.edit(root, `"x-argine-confidential":true`, `"x-argine-confidential":false`), anna, bruno)})
	plain := *c.a
	plain.Key = nil
	plain.Roots = slices.Clone(plain.Roots)
	plain.Rotate()
	c.vectorMaker.add("next-root-not-confidential", "the next root says no longer that the list is confidential", "untrusted", "stays confidential",
		c.trusted(), part{"root.json", plain.Roots[1]})
}

func (c confidentialMaker) targets() {
	good := c.a.Release(7, "example.org").Targets
	clear := c.agency.Release(7, "example.org").Targets
	add := func(name, comment, expect, says string, root part, b []byte) {
		c.vectorMaker.add("confidential-targets"+name, comment, expect, says, append([]part{root}, c.withTargets(good, b)...)...)
	}
	add("", "targets of a confidential list", "ok", "", c.trusted(), good)
	add("-in-the-clear", "targets in the clear, signed by enough officers", "untrusted", "in the clear", c.trusted(), clear)
	add("-of-a-list-in-the-clear", "encrypted targets of a list that is not confidential", "untrusted", "does not say", c.vectorMaker.trusted(), good)
	refuse := func(name, comment, says, old, now string) {
		add(name, comment, "malformed", says, c.trusted(), c.sign(c.edit(good, old, now), anna, bruno))
	}
	refuse("-key-id", "x-argine-key is not hexadecimal", "x-argine-key", `"x-argine-key":"`, `"x-argine-key":"x`)
	refuse("-path", "the path of an encrypted file does not end in .age", "end in .age", `snapshot-7.txt.zst.age`, `snapshot-7.txt.zst`)
	refuse("-key-says-more", "a file with the list key has custom data", "nothing else", `"key-x25519.age":{`, `"key-x25519.age":{"custom":{},`)
	stray := c.sign(c.edit(good, `"x-argine-key"`, `"x-other-key"`), anna, bruno)
	add("-key-in-the-clear", "a file with a list key, but x-argine-key is missing", "malformed", "file", c.trusted(), stray)
}

func (c confidentialMaker) files() {
	r := c.a.Delta(c.a.Release(7, "example.org"), "+www.example.net")
	c.add("", "a snapshot and a delta, read with a hybrid identity", "ok", "", hybridIdentity, r)
	c.add("-x25519", "a snapshot and a delta, read with an X25519 identity", "ok", "", x25519Identity, r)
	c.add("-stranger", "the identity of somebody else", "no key", "not encrypted to this identity", strangerIdentity, r)

	h, text := c.a.Text(7, "example.org")
	plain := trusttest.Compress(c.t, text)
	good := c.a.Seal(plain)
	other, costly := *c.a, c.scrypt(18)
	other.Key = trust.ListKey(make([]byte, 32))
	for _, f := range []struct {
		name, comment, expect, says string
		file                        []byte
	}{
		{"-file-in-the-clear", "a file that is not encrypted", "malformed", "not encrypted", plain},
		{"-file-other-key", "a file that is encrypted with another key", "untrusted", "does not open", other.Seal(plain)},
		{"-file-cut", "an encrypted file that was cut before it was signed", "malformed", "decrypting", good[:len(good)-5]},
		{"-file-altered", "an encrypted file that was altered before it was signed", "malformed", "decrypting", alter(good)},
		{"-file-work-factor", "a file that costs more work than the key needs", "malformed", "work factor", encrypt(c.t, plain, costly)},
		{"-file-public-key", "a file that is encrypted to a subscriber, not to the list key", "malformed", "not encrypted", encrypt(c.t, plain, c.x25519())},
	} {
		c.add(f.name, f.comment, f.expect, f.says, x25519Identity, c.a.Pack(h, f.file))
	}
	h.Digest.Add([]byte("example.net"))
	c.add("-digest", "another digest than that of the file is masked", "untrusted", "signed was", x25519Identity, c.a.Pack(h, good))
	clear := *c.a
	clear.Key = other.Key
	c.add("-key-id", "the masks and x-argine-key are of another key than the files", "untrusted", "not the one that was signed", x25519Identity,
		c.withKey(clear.Pack(h, good), c.a.Key))
}

func alter(file []byte) []byte {
	out := slices.Clone(file)
	out[len(out)-20] ^= 1
	return out
}

func (c confidentialMaker) scrypt(workFactor int) age.Recipient {
	r, err := age.NewScryptRecipient(listKey.Text())
	require.NoError(c.t, err)
	r.SetWorkFactor(workFactor)
	return r
}

func (c confidentialMaker) x25519() age.Recipient {
	id, err := age.ParseX25519Identity(x25519Identity)
	require.NoError(c.t, err)
	return id.Recipient()
}

// withKey returns the release with another list key in its key file.
func (c confidentialMaker) withKey(r trusttest.Release, key trust.ListKey) trusttest.Release {
	c.t.Helper()
	file, err := trust.EncryptKey(key, c.a.To[1:])
	require.NoError(c.t, err)
	return c.withKeyFile(r, trust.KindX25519, file)
}

// withKeyFile returns the release with another key file.
func (c confidentialMaker) withKeyFile(r trusttest.Release, kind string, file []byte) trusttest.Release {
	c.t.Helper()
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(c.t, err)
	for _, key := range []trust.ListKey{listKey, make([]byte, 32)} {
		if opened, err := spec.Open(key); err == nil {
			spec = opened
		}
	}
	require.NotNil(c.t, spec.Key)
	sum := sha256.Sum256(file)
	f := trust.NewKeyFile(kind, int64(len(file)), sum[:])
	spec.Keys = []trust.File{f}
	targets, err := trust.NewTargets(spec)
	require.NoError(c.t, err)
	files := map[string][]byte{f.Path: file}
	for _, f := range spec.Files {
		files[f.Path] = r.Files[f.Path]
	}
	return trusttest.Release{Targets: c.sign(targets, anna, bruno), Files: files}
}

func (c confidentialMaker) keys() {
	r := c.a.Release(7, "example.org")
	c.add("-key-short", "the key in a key file is too short", "malformed", "32 bytes", x25519Identity,
		c.withKeyFile(r, trust.KindX25519, encrypt(c.t, listKey[:16], c.x25519())))
	c.add("-key-kind", "a key file of one kind stands under the name of the other", "malformed", "another kind", hybridIdentity,
		c.withKeyFile(r, trust.KindHybrid, encrypt(c.t, listKey, c.x25519())))
	c.add("-key-passphrase", "a key file that is encrypted with a passphrase", "malformed", "another kind", x25519Identity,
		c.withKeyFile(r, trust.KindX25519, encrypt(c.t, listKey, c.scrypt(1))))
}

func (c confidentialMaker) orders() {
	r := c.a.Release(7, "example.org")
	entries := []string{"bad.example expires=2026-11-23"}
	r.Urgent = c.a.Orders(1, 7, entries, anna)
	c.add("-orders", "sealed urgent orders", "ok", "", x25519Identity, r)
	clear, other := *c.a, *c.a
	clear.Key, other.Key = nil, make([]byte, 32)
	r.Urgent = clear.Orders(1, 7, entries, anna)
	c.add("-orders-in-the-clear", "urgent orders in the clear", "untrusted", "encrypted", x25519Identity, r)
	r.Urgent = other.Orders(1, 7, entries, anna)
	c.add("-orders-other-key", "urgent orders under another key", "untrusted", "does not open", x25519Identity, r)
	r.Urgent = c.a.Orders(1, 7, []string{"a.example expires=2026-11-23", "b.example expires=2026-11-23", "c.example expires=2026-11-23"}, anna)
	c.add("-orders-too-many", "more sealed orders than the root allows", "untrusted", "allows 2", x25519Identity, r)
}
