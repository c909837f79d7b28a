package tuf_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/tuf/tuftest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// verdict returns this package's result for a chain.
func verdict(c tuftest.Chain) error {
	root, err := tuf.ParseRoot(c.Root)
	if err == nil {
		err = root.Verify(&root.Document)
	}
	for _, b := range c.Roots {
		if err != nil {
			return err
		}
		var next *tuf.Root
		if next, err = tuf.ParseRoot(b); err == nil {
			err = root.VerifyNext(next)
		}
		root = next
	}
	if err != nil || c.Timestamp == nil {
		return err
	}
	var heldTimestamp *tuf.Timestamp
	if len(c.HeldTimestamp) > 0 {
		if heldTimestamp, err = tuf.ParseTimestamp(c.HeldTimestamp); err != nil {
			return err
		}
	}
	heldSnapshot, err := tuf.ParseSnapshot(c.HeldSnapshot)
	if err != nil {
		heldSnapshot = nil
	}
	return update(tuf.NewUpdate(root, heldTimestamp, heldSnapshot, c.Now), c)
}

func update(u *tuf.Update, c tuftest.Chain) error {
	timestamp, err := tuf.ParseTimestamp(c.Timestamp)
	if err == nil {
		_, err = u.Timestamp(timestamp)
	}
	if err != nil {
		return err
	}
	snapshot, err := tuf.ParseSnapshot(c.Snapshot)
	if err == nil {
		err = u.Snapshot(snapshot)
	}
	if err != nil {
		return err
	}
	targets, err := tuf.ParseTargets("targets", c.Targets, tuf.MaxTargets)
	if err == nil {
		err = u.Targets(targets)
	}
	return err
}

// repository is a valid chain: two roots, two generations of metadata, and the keys of all signers.
type repository struct {
	chain    tuftest.Chain
	officers []trusttest.Person
	online   trusttest.Person
}

func newRepository(t testing.TB) repository {
	online := trusttest.NewPerson("online")
	a := trusttest.NewAgency(t, online.Key)
	r := repository{online: online, officers: append(slices.Clone(a.Officers), trusttest.NewPerson("dora"))}
	before := a.Officers
	a.Officers = r.officers[1:]
	a.Rotate(before...)
	now := time.Now()
	r.chain = tuftest.Chain{Root: a.Roots[0], Roots: a.Roots[1:], Now: now}
	r.chain.HeldTimestamp, r.chain.HeldSnapshot, _ = r.release(t, a, 1, now)
	r.chain.Timestamp, r.chain.Snapshot, r.chain.Targets = r.release(t, a, 2, now)
	return r
}

func (r repository) release(t testing.TB, a *trusttest.Agency, version int64, now time.Time) (timestamp, snapshot, targets []byte) {
	targets = a.Release(uint64(version), "example.org").Targets
	spec := trust.OnlineSpec{List: a.List, Version: version, Expires: now.Add(time.Hour), Next: targets, NextVersion: version}
	snapshot, err := trust.NewSnapshot(spec)
	require.NoError(t, err)
	snapshot = trusttest.Sign(t, snapshot, r.online)
	spec.Next, spec.Root = snapshot, 2
	timestamp, err = trust.NewTimestamp(spec)
	require.NoError(t, err)
	return trusttest.Sign(t, timestamp, r.online), snapshot, targets
}

// Indexes of the documents of a chain.
const (
	docRoot = iota
	docNext
	docHeldTimestamp
	docHeldSnapshot
	docTimestamp
	docSnapshot
	docTargets
	docs
)

func (r *repository) doc(which int) *[]byte {
	r.chain.Roots = slices.Clone(r.chain.Roots)
	c := &r.chain
	return []*[]byte{&c.Root, &c.Roots[0], &c.HeldTimestamp, &c.HeldSnapshot, &c.Timestamp, &c.Snapshot, &c.Targets}[which]
}

// Ways to sign a changed document.
const (
	signNot      = iota // keep the old signatures
	signReceived        // sign the received bytes
	signRead            // sign the parsed form
	signTwice           // both
	signs
)

func (r *repository) sign(which int, b []byte, how int) []byte {
	people := r.officers
	if which >= docHeldTimestamp && which <= docSnapshot {
		people = []trusttest.Person{r.online}
	}
	if how == signNot {
		return b
	}
	var d map[string]json.RawMessage
	if json.Unmarshal(b, &d) != nil {
		return b
	}
	payload, err := cjson.EncodeCanonical(d["signed"])
	if how == signRead {
		var lossy any // decodes unknown fields as any: numbers become floats
		if json.Unmarshal(d["signed"], &lossy) != nil {
			return b
		}
		payload, err = cjson.EncodeCanonical(lossy)
	}
	if err != nil {
		return b
	}
	signatures := []map[string]string{}
	for _, p := range people {
		signatures = append(signatures, map[string]string{"keyid": tuf.KeyID(p.Public), "sig": fmt.Sprintf("%x", signature(p, payload))})
	}
	if how == signTwice {
		signatures = append(signatures, signatures[0])
	}
	if d["signatures"], err = json.Marshal(signatures); err != nil {
		return b
	}
	b, _ = json.Marshal(d)
	return b
}

// put changes a document, signs it, and updates the documents that reference it.
func (r repository) put(t testing.TB, which int, b []byte, how int) tuftest.Chain {
	*r.doc(which) = r.sign(which, b, how)
	c := &r.chain
	spec := trust.OnlineSpec{Version: 2, Expires: c.Now.Add(time.Hour)}
	if which == docTargets && how != signNot {
		spec.Next, spec.NextVersion = c.Targets, 2
		snapshot, err := trust.NewSnapshot(spec)
		require.NoError(t, err)
		c.Snapshot = trusttest.Sign(t, snapshot, r.online)
	}
	if (which == docTargets || which == docSnapshot) && how != signNot {
		spec.Next, spec.NextVersion = c.Snapshot, 2
		timestamp, err := trust.NewTimestamp(spec)
		require.NoError(t, err)
		c.Timestamp = trusttest.Sign(t, timestamp, r.online)
	}
	return r.chain
}

// compare checks that this package and go-tuf return the same verdict, and reports whether they accept the chain.
func compare(t testing.TB, c tuftest.Chain) bool {
	t.Helper()
	for _, b := range append([][]byte{c.Root}, c.Roots...) {
		if !ed25519Only(b) {
			_ = verdict(c) // go-tuf may not be used here
			return false
		}
	}
	ours, theirs := verdict(c), c.Verdict(tuf.CheckStrict)
	if tuftest.Class(ours) != tuftest.Class(theirs) {
		t.Errorf("here: %v\ngo-tuf: %v\n%s", ours, theirs, c)
	}
	return ours == nil
}

// ed25519Only reports whether a root has ed25519 keys only, as lists require. Go-tuf supports further kinds.
func ed25519Only(b []byte) bool {
	root, err := tuf.ParseRoot(b)
	if err != nil {
		return true
	}
	for _, k := range root.Keys {
		if _, ok := k.Known.Public(); !ok {
			return false
		}
	}
	return true
}

// values returns the replacement values for a field.
func values() []any {
	return []any{
		0, 1, 2, 3, -1, json.Number("-0"), json.Number("1e3"), json.Number("2.0"), json.Number("1.5"), json.Number("9007199254740993"),
		json.Number("9223372036854775807"), json.Number("9223372036854775808"), json.Number("1e400"), 16 << 10, 17 << 10, 300 << 10,
		"", "x", "ff", "FF", "\"\\/\u2028<&>\u0000", true, false, nil,
		[]any{},
		map[string]any{},
		[]any{1, "x"},
		map[string]any{"a": map[string]any{"version": 1}},
		"root", "timestamp", "ed25519", "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "2100-01-01T00:00:00.000Z", "2100-01-01T00:00:00.5Z",
		"2100-01-01T00:00:00+00:00", "2100-01-01T01:00:00+01:00", "2100-01-01t00:00:00z", "0001-01-01T00:00:00Z",
		map[string]any{"keys": map[string]any{}, "roles": []any{}},
		map[string]any{"keys": map[string]any{}},
		map[string]any{"keys": map[string]any{}, "roles": []any{}, "succinct_roles": map[string]any{"keyids": []any{}, "threshold": 1, "bit_length": 33, "name_prefix": "b"}},
		map[string]any{"keys": map[string]any{}, "succinct_roles": map[string]any{"keyids": []any{}, "threshold": 1, "bit_length": 8, "name_prefix": "b"}},
		map[string]any{"keys": map[string]any{}, "roles": []any{map[string]any{"name": "r", "keyids": []any{}, "threshold": 1, "terminating": true, "paths": []any{"*"}}}},
		map[string]any{"keys": map[string]any{}, "roles": []any{map[string]any{"name": "r", "keyids": []any{}, "threshold": 1, "terminating": true, "paths": []any{"*"}, "path_hash_prefixes": []any{}}}},
	}
}

// edit changes the node-th field of a document; op selects the change. It returns false if there is no such field.
func edit(doc []byte, node, op int) ([]byte, bool) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var root any
	if dec.Decode(&root) != nil {
		return doc, false
	}
	var change func(value any) bool
	count := 0
	change = func(value any) bool {
		switch v := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if count++; count-1 == node {
					editField(v, key, op)
					return true
				}
				if change(v[key]) {
					return true
				}
			}
		case []any:
			return slices.ContainsFunc(v, change)
		}
		return false
	}
	done := change(root)
	b, err := json.Marshal(root)
	return b, done && err == nil
}

// ways returns the number of changes for each field.
func ways() int { return 2*len(values()) + 4 }

func editField(in map[string]any, key string, op int) {
	all := values()
	switch op -= 4; {
	case op == -4:
		delete(in, key)
	case op == -3:
		in[strings.ToUpper(key)] = in[key]
		delete(in, key)
	case op == -2:
		in[strings.ToUpper(key)] = in[key]
	case op == -1:
		if s, ok := in[key].(string); ok {
			in[key] = strings.ToUpper(s)
		}
	case op < len(all):
		in[key] = all[op]
	default:
		in["delegations"] = all[op-len(all)]
	}
}

// TestAgainstOracle applies every change to every field of every document of a valid chain, signs the result in every
// way, and compares the verdict with that of go-tuf.
func TestAgainstOracle(t *testing.T) {
	r := newRepository(t)
	require.NoError(t, verdict(r.chain))
	compare(t, r.chain)
	step := longtest.Rounds(1201, 23) // all of them take a quarter of an hour; the fuzzer covers the rest
	accepted, n := 0, 0
	for which := range docs {
		for node := 0; ; node++ {
			if _, ok := edit(*r.doc(which), node, 0); !ok {
				break
			}
			for op := range ways() {
				if n++; n%step != 0 {
					continue
				}
				b, _ := edit(*r.doc(which), node, op)
				for how := range signs {
					if compare(t, r.put(t, which, b, how)) {
						accepted++
					}
				}
				if t.Failed() {
					t.Fatal("document", which, "node", node, "edit", op)
				}
			}
		}
	}
	t.Log(n/step*signs, "chains,", accepted, "of them accepted")
}

// FuzzAgainstOracle compares verdicts on fuzzed documents of a valid chain.
func FuzzAgainstOracle(f *testing.F) {
	r := newRepository(f)
	for which := range docs {
		for how := range signs {
			f.Add(uint8(which), uint8(how), int64(0), []byte{3, 5, 20, 9}, *r.doc(which))
		}
	}
	f.Fuzz(func(t *testing.T, which, how uint8, seconds int64, edits, b []byte) {
		r := r
		for i := 0; i+1 < len(edits) && i < 8; i += 2 {
			b, _ = edit(b, int(edits[i]), int(edits[i+1])%ways())
		}
		r.chain.Now = r.chain.Now.Add(time.Duration(seconds%(1<<33)) * time.Second)
		compare(t, r.put(t, int(which)%docs, b, int(how)%signs))
	})
}

// FuzzCanonicalJSON compares the canonical form with that of the library that go-tuf uses.
func FuzzCanonicalJSON(f *testing.F) {
	r := newRepository(f)
	f.Add(r.chain.Root)
	for _, s := range []string{`{"b":[1,-0,"\u00e9\"\\\u2028\ud800"],"a":{"":null,"x":true}}`, `1e3`, `1.0`, `9223372036854775808`, `[[],{}]`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, err := tuf.CanonicalJSON(b)
		theirs, theirErr := cjson.EncodeCanonical(json.RawMessage(b))
		if !json.Valid(b) {
			return // one parser reads a value, the other all bytes
		}
		require.Equal(t, theirErr == nil, err == nil, "%v, %v", err, theirErr)
		require.Equal(t, string(theirs), string(ours))
	})
}

func signature(p trusttest.Person, payload []byte) []byte { return ed25519.Sign(p.Private, payload) }

// BenchmarkNextRoot parses a root, and verifies it against the root before it and against itself.
func BenchmarkNextRoot(b *testing.B) {
	c := newRepository(b).chain
	c.Timestamp = nil
	b.Run("tuf", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, verdict(c))
		}
	})
	b.Run("go-tuf", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, c.Verdict(tuf.CheckStrict))
		}
	})
}
