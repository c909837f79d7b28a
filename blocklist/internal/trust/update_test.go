package trust_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf/tuftest"
)

// chain signs snapshot and timestamp of one version over targets.
func chain(t testing.TB, targets []byte, version int64, expires time.Time, by trusttest.Person) received {
	t.Helper()
	spec, err := trust.ParseTargets(targets)
	require.NoError(t, err)
	snapshot, err := trust.NewSnapshot(trust.OnlineSpec{Version: version, Expires: expires, Next: targets, NextVersion: spec.Version})
	require.NoError(t, err)
	snapshot = trusttest.Sign(t, snapshot, by)
	timestamp, err := trust.NewTimestamp(trust.OnlineSpec{Version: version, Expires: expires, Next: snapshot, NextVersion: version})
	require.NoError(t, err)
	return received{Timestamp: trusttest.Sign(t, timestamp, by), Snapshot: snapshot, Targets: targets}
}

// received are documents as bytes.
type received struct{ Timestamp, Snapshot, Targets []byte }

// metadata parses the documents, none where there is none.
func (r received) metadata() (m trust.Metadata, err error) {
	if len(r.Timestamp) == 0 {
		return m, nil
	}
	if m.Timestamp, err = trust.ParseTimestamp(r.Timestamp); err != nil {
		return m, err
	}
	if m.Snapshot, err = trust.ParseSnapshot(r.Snapshot); err != nil {
		return m, err
	}
	targets, err := trust.ParseTargets(r.Targets)
	m.Targets = &targets
	return m, err
}

// follow goes from held to next, as a subscriber does. It asks the oracle about all documents.
func follow(root []byte, held, next received, now time.Time) (received, error) {
	got, err := verifyUpdate(root, held, next, now)
	return got, askOracle(tuftest.Chain{
		Root: root, HeldTimestamp: held.Timestamp, HeldSnapshot: held.Snapshot,
		Timestamp: next.Timestamp, Snapshot: next.Snapshot, Targets: next.Targets, Now: now,
	}, err)
}

func verifyUpdate(root []byte, held, next received, now time.Time) (received, error) {
	r, err := trust.OpenRoot(root)
	if err != nil {
		return held, err
	}
	m, err := held.metadata()
	if err != nil {
		return held, err
	}
	u := trust.NewUpdater(r, m, now)
	if _, err := u.Timestamp(next.Timestamp); err != nil {
		return held, err
	}
	if _, err := u.Snapshot(next.Snapshot); err != nil {
		return held, err
	}
	if _, err := u.Targets(next.Targets); err != nil {
		return held, err
	}
	a := u.Accepted()
	return received{a.Timestamp.Bytes(), a.Snapshot.Bytes(), a.Targets.Bytes()}, nil
}

func TestUpdater(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	now, hour := time.Now(), time.Now().Add(time.Hour)
	first := chain(t, a.Release(1, "example.org").Targets, 1, hour, online)
	second := chain(t, a.Release(2, "example.org", "www.example.org").Targets, 2, hour, online)
	empty := received{}

	held, err := follow(a.Roots[0], empty, first, now)
	require.NoError(t, err)
	assert.True(t, reflect.DeepEqual(first, held))
	held, err = follow(a.Roots[0], held, second, now)
	require.NoError(t, err)
	_, err = follow(a.Roots[0], held, second, now)
	assert.NoError(t, err, "the same again")

	tests := map[string]struct {
		next received
		want error
	}{
		"rollback":                {first, blocklist.ErrRollback},
		"old targets, new stamps": {chain(t, first.Targets, 3, hour, online), blocklist.ErrRollback},
		"same serial, other list": {chain(t, a.Release(2, "example.org").Targets, 3, hour, online), blocklist.ErrRollback},
		"expired":                 {chain(t, second.Targets, 3, now.Add(-time.Minute), online), blocklist.ErrExpired},
		"other online key":        {chain(t, second.Targets, 3, hour, dora), blocklist.ErrUntrusted},
		"officer signs online":    {chain(t, second.Targets, 3, hour, anna), blocklist.ErrUntrusted},
		"mixed snapshot":          {received{Timestamp: chain(t, second.Targets, 3, hour, online).Timestamp, Snapshot: second.Snapshot, Targets: second.Targets}, blocklist.ErrUntrusted},
		"timestamp for snapshot":  {received{Timestamp: second.Snapshot, Snapshot: second.Snapshot, Targets: second.Targets}, blocklist.ErrMalformed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := follow(a.Roots[0], held, test.next, now)
			assert.ErrorIs(t, err, test.want)
		})
	}
}

// With the online key stolen and its versions run far ahead, a new root with another key puts the origin back in charge;
// serials still never go back.
func TestFastForwardRecovery(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	hour := time.Now().Add(time.Hour)
	targets := a.Release(5, "example.org").Targets
	ahead := chain(t, targets, 1<<40, hour, online)
	a.Online = dora.Key
	a.Rotate()

	_, err := follow(a.Roots[1], ahead, chain(t, targets, 2, hour, online), time.Now())
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "the old key is worth nothing")
	_, err = follow(a.Roots[1], ahead, chain(t, targets, 2, hour, dora), time.Now())
	assert.NoError(t, err)
	_, err = follow(a.Roots[1], ahead, chain(t, a.Release(4, "example.org").Targets, 2, hour, dora), time.Now())
	assert.ErrorIs(t, err, blocklist.ErrRollback)
}

func TestUpdaterUnderSigned(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	a.Threshold = 1 // the agency signs with one, the root wants two
	c := chain(t, a.Release(1, "example.org").Targets, 1, time.Now().Add(time.Hour), online)
	_, err := follow(a.Roots[0], received{}, c, time.Now())
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.ErrorContains(t, err, "bruno, carla")
}

// What go-tuf takes for granted is checked before it sees it.
func TestParseOnlineRefuses(t *testing.T) {
	for _, doc := range []string{
		`{"signed":{"_type":"timestamp","version":1,"expires":"2027-01-01T00:00:00Z","meta":{}},"signatures":[]}`,
		`{"signed":{"_type":"timestamp","version":1,"expires":"2027-01-01T00:00:00Z","meta":{"snapshot.json":null}},"signatures":[]}`,
		`{"signed":{"_type":"timestamp","version":1,"expires":"2027-01-01T00:00:00Z","meta":{"snapshot.json":{"version":0}}},"signatures":[]}`,
		`{"signed":{"_type":"timestamp","version":1,"expires":"2027-01-01T00:00:00Z","meta":{"snapshot.json":{"version":1,"length":-1}}},"signatures":[]}`,
		`{"signed":null,"signatures":[]}`, `{}`, `[]`, `null`, ``,
	} {
		_, err := trust.ParseTimestamp([]byte(doc))
		assert.ErrorIs(t, err, blocklist.ErrMalformed, doc)
	}
	large := `{"signed":{"_type":"timestamp","version":1,"expires":"2027-01-01T00:00:00Z","meta":{"snapshot.json":{"version":1,"length":99999999}}},"signatures":[]}`
	_, err := trust.ParseTimestamp([]byte(large))
	assert.ErrorIs(t, err, blocklist.ErrTooLarge)
}

func TestParseTargetsRefuses(t *testing.T) {
	a := trusttest.NewAgency(t, online.Key)
	good := a.Release(7, "example.org").Targets
	edit := func(old, now string) []byte {
		out := bytes.ReplaceAll(good, []byte(old), []byte(now))
		require.NotEqual(t, good, out, old)
		return out
	}
	tests := map[string][]byte{
		"null target":         []byte(`{"signed":{"_type":"targets","targets":{"a":null}},"signatures":[]}`),
		"no files":            []byte(`{"signed":{"_type":"targets","version":1,"expires":"2027-01-01T00:00:00Z","targets":{},"x-argine-list":"a.example"},"signatures":[]}`),
		"path traversal":      edit("snapshot-7.txt.zst", "../snapshot-7"),
		"hidden file":         edit("snapshot-7.txt.zst", ".snapshot-7"),
		"other list inside":   edit(`"list":"it.example/test"`, `"list":"it.example/tesu"`),
		"other serial inside": edit(`"serial":7`, `"serial":6`),
		"later serial inside": edit(`"serial":7`, `"serial":8`),
		"bad digest":          edit(`"digest":"`, `"digest":"x`),
		"base after serial":   edit(`"base":0`, `"base":9`),
		"version 0":           edit(`"version":7`, `"version":0`),
		"no hash":             edit(`"sha256"`, `"md5"`),
		"too many entries":    edit(`"entries":1`, `"entries":999999999`),
	}
	for name, doc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := trust.ParseTargets(doc)
			assert.ErrorIs(t, err, blocklist.ErrMalformed)
		})
	}
}

func FuzzParseTargets(f *testing.F) {
	a := trusttest.NewAgency(f, online.Key)
	f.Add(a.Release(7, "example.org").Targets)
	f.Add([]byte(`{"signed":{"_type":"targets","targets":{"a":null},"delegations":{"keys":null,"roles":[null]}},"signatures":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		spec, err := trust.ParseTargets(b)
		if err != nil {
			return
		}
		way, ok := spec.UpdatePath(0)
		assert.True(t, ok)
		for _, f := range way {
			assert.False(t, strings.ContainsAny(f.Path, `/\`))
		}
		assert.EqualValues(t, spec.Version, way[len(way)-1].Release.Serial)
		assert.NoError(t, trust.CheckNewer(&spec, spec))
	})
}

// FuzzClientChain lets a mirror say anything instead of one of the three documents: nothing panics, and nothing is
// accepted but what the keys have signed.
func FuzzClientChain(f *testing.F) {
	a := trusttest.NewAgency(f, online.Key)
	now := time.Now()
	good := chain(f, a.Release(1, "example.org").Targets, 2, now.Add(time.Hour), online)
	for kind, b := range [][]byte{good.Timestamp, good.Snapshot, good.Targets} {
		f.Add(uint8(kind), b)
		f.Add(uint8(kind), bytes.ReplaceAll(b, []byte(`"version":`), []byte(`"Version":`)))
		f.Add(uint8(kind), bytes.ReplaceAll(b, []byte(`"meta":{`), []byte(`"meta":{"x":null,`)))
	}
	payload := func(b []byte) string {
		_, signed, _ := strings.Cut(string(b), `"signed"`)
		return signed
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		next := good
		*[]*[]byte{&next.Timestamp, &next.Snapshot, &next.Targets}[kind%3] = b
		for _, held := range []received{{}, good} {
			got, err := follow(a.Roots[0], held, next, now)
			if err == nil && !reflect.DeepEqual(got, good) {
				assert.JSONEq(t, "{\"signed\""+payload(good.Timestamp), "{\"signed\""+payload(got.Timestamp))
				assert.JSONEq(t, "{\"signed\""+payload(good.Targets), "{\"signed\""+payload(got.Targets))
			}
		}
	})
}
