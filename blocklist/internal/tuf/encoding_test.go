package tuf_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// TestSameBytes makes a document of each role, and lets go-tuf make it from the same fields.
func TestSameBytes(t *testing.T) {
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	list := map[string]any{"x-argine-list": trusttest.List}
	next := []byte("the next document")
	sum := sha256.Sum256(next)
	hashes := metadata.Hashes{"sha256": sum[:]}
	spec := trust.OnlineSpec{List: trusttest.List, Version: 7, Expires: expires, Next: next, NextVersion: 3, Root: 2}

	t.Run("root", func(t *testing.T) {
		officer, online := trusttest.NewPerson("anna"), trusttest.NewPerson("online")
		ours, err := trust.NewRoot(trust.RootSpec{
			List: trusttest.List, Version: 7, Expires: expires, Officers: []notekey.Key{officer.Key}, Threshold: 1,
			Online: online.Key,
		})
		require.NoError(t, err)
		theirs := metadata.Root(expires)
		theirs.Signed.Version, theirs.Signed.UnrecognizedFields = 7, list
		for _, p := range []trusttest.Person{officer, online} {
			key, err := metadata.KeyFromPublicKey(p.Public)
			require.NoError(t, err)
			id, err := key.ID()
			require.NoError(t, err)
			require.Equal(t, id, tuf.KeyID(p.Public))
			key.UnrecognizedFields = map[string]any{"x-argine-name": p.Name}
			theirs.Signed.Keys[id] = key
		}
		roles := theirs.Signed.Roles
		roles[metadata.ROOT].KeyIDs, roles[metadata.TARGETS].KeyIDs = ids(officer.Public), ids(officer.Public)
		roles[metadata.SNAPSHOT].KeyIDs, roles[metadata.TIMESTAMP].KeyIDs = ids(online.Public), ids(online.Public)
		requireSameBytes(t, theirs, ours)
	})
	t.Run("timestamp", func(t *testing.T) {
		ours, err := trust.NewTimestamp(spec)
		require.NoError(t, err)
		theirs := metadata.Timestamp(expires)
		theirs.Signed.Version = 7
		theirs.Signed.Meta["snapshot.json"] = &metadata.MetaFiles{Length: int64(len(next)), Hashes: hashes, Version: 3}
		theirs.Signed.UnrecognizedFields = map[string]any{"x-argine-list": trusttest.List, "x-argine-root": 2}
		requireSameBytes(t, theirs, ours)
	})
	t.Run("snapshot", func(t *testing.T) {
		ours, err := trust.NewSnapshot(spec)
		require.NoError(t, err)
		theirs := metadata.Snapshot(expires)
		theirs.Signed.Version, theirs.Signed.UnrecognizedFields = 7, list
		theirs.Signed.Meta["targets.json"] = &metadata.MetaFiles{Length: int64(len(next)), Hashes: hashes, Version: 3}
		requireSameBytes(t, theirs, ours)
	})
	t.Run("targets", func(t *testing.T) {
		custom := json.RawMessage(`{"list":"it.example/test","serial":7}`)
		target := tuf.Target{Length: int64(len(next)), Hashes: map[string]tuf.HexBytes{"sha256": sum[:]}, Custom: custom}
		ours, err := tuf.New(tuf.Object[tuf.TargetsFields]{More: list, Known: tuf.TargetsFields{
			Header:  tuf.NewHeader(tuf.RoleTargets, 7, expires),
			Targets: map[string]tuf.Object[tuf.Target]{"snapshot-7.zst": {Known: target}},
		}})
		require.NoError(t, err)
		theirs := metadata.Targets(expires)
		theirs.Signed.Version, theirs.Signed.UnrecognizedFields = 7, list
		file := &metadata.TargetFiles{Length: int64(len(next)), Hashes: hashes, Custom: &custom}
		theirs.Signed.Targets["snapshot-7.zst"] = file
		requireSameBytes(t, theirs, ours)
	})
}

func ids(public ed25519.PublicKey) []string { return []string{tuf.KeyID(public)} }

func requireSameBytes[T metadata.Roles](t *testing.T, theirs *metadata.Metadata[T], ours []byte) {
	t.Helper()
	b, err := theirs.ToBytes(false)
	require.NoError(t, err)
	require.Equal(t, string(b), string(ours))
}

// TestStrict has one text for each rule that parsers of JSON do not agree on.
func TestStrict(t *testing.T) {
	t.Parallel()
	require.NoError(t, tuf.CheckStrict([]byte(`{"a":[1,-2.5e3,true,"é"],"b":{}}`)))
	for text, reason := range map[string]string{
		`{"a":null}`:      "null is not allowed",
		`{"a":1,"A":1}`:   "there twice",
		`{"é":1}`:         "not plain ASCII",
		`{"a":[1e400]}`:   "out of range",
		`{"a":-1e400}`:    "out of range",
		`{"a":1}{}`:       "something follows the end",
		`{"a":1`:          "EOF",
		`{"a":`:           "EOF",
		`[[[[[[[[[[[[[1]`: "nested too deep",
	} {
		assert.ErrorContains(t, tuf.CheckStrict([]byte(text)), reason, text)
	}
}
