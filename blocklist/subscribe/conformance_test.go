package subscribe_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// Cases in the manner of The Update Framework's suite for clients, under the rules of our own lists. The suite itself,
// which has none of them in its documents, drives the client in client_internal_test.go.

var noSignatures = []byte(`"signatures":[]}`)

func unsigned(doc []byte) []byte {
	signed, _, _ := bytes.Cut(doc, []byte(`"signatures":`))
	return append(bytes.Clone(signed), noSignatures...)
}

// snapshotSays lets the mirror serve another third snapshot, under a timestamp that names its length and hash.
func (st *stage) snapshotSays(snapshot []byte) {
	spec := trust.OnlineSpec{Version: 3, Expires: time.Now().Add(hour), Next: snapshot, NextVersion: 3}
	timestamp, err := trust.NewTimestamp(spec)
	require.NoError(st.t, err)
	m := st.moments[3]
	m["3.snapshot.json"], m["timestamp.json"] = snapshot, trusttest.Sign(st.t, timestamp, online)
	st.serves(m)
}

func (st *stage) timestampSays(b []byte) {
	m := st.moments[3]
	m["timestamp.json"] = b
	st.serves(m)
}

func edited(t *testing.T, doc []byte, old, now string) []byte {
	t.Helper()
	out := bytes.Replace(doc, []byte(old), []byte(now), 1)
	require.NotEqual(t, doc, out)
	return out
}

func TestConformanceRefuses(t *testing.T) {
	t.Parallel()
	for _, a := range []attack{
		{"unsigned timestamp", blocklist.ErrUntrusted, "timestamp", false, func(st *stage) {
			st.timestampSays(unsigned(st.moments[3]["timestamp.json"]))
		}},
		{"unsigned snapshot", blocklist.ErrUntrusted, "snapshot", false, func(st *stage) {
			st.snapshotSays(unsigned(st.moments[3]["3.snapshot.json"]))
		}},
		{"version in name and document differ", blocklist.ErrUntrusted, "version 9", false, func(st *stage) {
			b := edited(st.t, st.moments[3]["3.snapshot.json"], `"version":3,"x-argine`, `"version":9,"x-argine`)
			st.snapshotSays(trusttest.Sign(st.t, b, online))
		}},
		{"targets gone from the snapshot", blocklist.ErrMalformed, "snapshot", false, func(st *stage) {
			b := edited(st.t, st.moments[3]["3.snapshot.json"], `"targets.json"`, `"other.json"`)
			st.snapshotSays(trusttest.Sign(st.t, b, online))
		}},
		{"one key signs twice", blocklist.ErrMalformed, "multiple signatures", false, func(st *stage) {
			head, sig, _ := bytes.Cut(st.moments[3]["timestamp.json"], []byte(`"signatures":[`))
			sig = bytes.TrimSuffix(sig, []byte(`]}`))
			st.timestampSays(bytes.Join([][]byte{head, []byte(`"signatures":[`), sig, []byte(`,`), sig, []byte(`]}`)}, nil))
		}},
	} {
		t.Run(a.name, func(t *testing.T) { synctest.Test(t, a.test) })
	}
}

func TestConformanceAccepts(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*stage){
		"fields it does not know": func(st *stage) {
			b := edited(st.t, st.moments[3]["timestamp.json"], `"signed":{`, `"signed":{"unknown":{"a":[1]},`)
			st.timestampSays(trusttest.Sign(st.t, b, online))
		},
		"signatures of strangers beside": func(st *stage) {
			st.timestampSays(trusttest.Sign(st.t, st.moments[3]["timestamp.json"], trusttest.NewPerson("eva")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(t)
				do(st)
				st.follows(3)
			})
		})
	}
}

// A timestamp that changes without a new version is not taken: what was accepted first stays.
func TestTimestampChangesWithoutAVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		st.follows(3)
		until := st.Status().Expires
		spec := trust.OnlineSpec{Version: 3, Expires: time.Now().Add(20 * hour), Next: st.moments[3]["3.snapshot.json"], NextVersion: 3}
		b, err := trust.NewTimestamp(spec)
		require.NoError(t, err)
		st.timestampSays(trusttest.Sign(t, b, online))
		st.follows(3)
		assert.Equal(t, until, st.Status().Expires)
	})
}
