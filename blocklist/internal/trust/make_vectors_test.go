package trust_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Times in vectors.
var (
	vectorNow     = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	vectorExpires = time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC)
	vectorStamped = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
)

// vectorMaker makes vectors from an agency with fixed keys and times.
type vectorMaker struct {
	t      *testing.T
	agency *trusttest.Agency
	all    []vector
}

func makeVectors(t *testing.T) []vector {
	t.Helper()
	m := &vectorMaker{t: t, agency: trusttest.NewAgency(t, online.Key)}
	m.agency.Created, m.agency.Expires, m.agency.Roots = vectorNow, vectorExpires, nil
	m.agency.Rotate()
	m.roots()
	m.nextRoots()
	m.targets()
	m.chains()
	m.bundles()
	m.orders()
	m.confidential()
	return m.all
}

func (m *vectorMaker) add(name, comment, expect, says string, parts ...part) {
	m.all = append(m.all, vector{name, comment, expect, says, parts})
}

// edit replaces text in the signed part; who signs it then is up to the caller.
func (m *vectorMaker) edit(doc []byte, old, now string) []byte {
	m.t.Helper()
	out := bytes.ReplaceAll(doc, []byte(old), []byte(now))
	require.NotEqual(m.t, doc, out, old)
	signed, _, _ := bytes.Cut(out, []byte(`,"signatures":`))
	if !bytes.HasPrefix(signed, []byte(`{"signed":`)) {
		_, signed, _ = bytes.Cut(out, []byte(`"signed":`))
		signed = append([]byte(`{"signed":`), bytes.TrimSuffix(signed, []byte("}"))...)
	}
	return append(signed, `,"signatures":[]}`...)
}

func (m *vectorMaker) sign(doc []byte, people ...trusttest.Person) []byte {
	return trusttest.Sign(m.t, doc, people...)
}

func (m *vectorMaker) roots() {
	good := m.agency.Roots[0]
	trusted := func(b []byte) part { return part{"trusted/root.json", b} }
	m.add("root", "three officers, two of whom must sign", "ok", "", trusted(good))
	refuse := func(name, comment, says, old, now string) {
		m.add("root-"+name, comment, "malformed", says, trusted(m.sign(m.edit(good, old, now), anna, bruno, carla)))
	}
	refuse("threshold-0", "anybody could sign", "threshold 0", `"threshold":2`, `"threshold":0`)
	refuse("threshold-4", "four of three officers", "threshold 4", `"threshold":2`, `"threshold":4`)
	refuse("threshold-differs", "the roles root and targets differ", "same officers and threshold", `],"threshold":2},"snapshot"`, `],"threshold":1},"snapshot"`)
	refuse("no-list", "it does not say of which list it is", "list", `x-argine-list`, `x-other-list`)
	refuse("list-name", "the list's name is a path", "list", `it.example/test`, `it.example/../test`)
	refuse("not-consistent", "consistent_snapshot is false", "consistent_snapshot", `"consistent_snapshot":true`, `"consistent_snapshot":false`)
	refuse("key-type", "a key that is not ed25519", "ed25519", `"keytype":"ed25519"`, `"keytype":"rsa"`)
	refuse("one-key-twice", "one person's key stands in for another's", "identifier", hexKey(bruno), hexKey(anna))
	refuse("holder-space", "the name of a key's holder has a space", "name", `"bruno"`, `"bru no"`)
	refuse("holder-twice", "two officers of one name", "two officers", `"x-argine-name":"bruno"`, `"x-argine-name":"anna"`)
	refuse("type", "it is a targets document", "type", `"_type":"root"`, `"_type":"targets"`)
	refuse("version-0", "versions begin with 1", "version", `"version":1`, `"version":0`)
	m.add("root-key-twice-in-object", "a key of JSON is there twice, in other letters", "malformed", "twice", trusted(bytes.Replace(good, []byte(`"version":1`), []byte(`"version":1,"Version":1`), 1)))
	m.add("root-null", "null", "malformed", "null", trusted(bytes.Replace(good, []byte(`"version":1`), []byte(`"version":1,"x":null`), 1)))
	m.add("root-behind-the-end", "something follows the document", "malformed", "follows", trusted(append(bytes.Clone(good), " {}"...)))
	m.add("root-too-large", "more than 64 KiB", "too large", "limit", trusted(append(bytes.Clone(good), strings.Repeat(" ", tuf.MaxRoot)...)))
	m.add("root-one-signature", "one signature of two", "untrusted", "1 of 2", trusted(m.sign(m.edit(good, `"version":1`, `"version":2`), anna)))
	m.add("root-altered", "altered after it was signed", "untrusted", "0 of 2", trusted(bytes.Replace(good, []byte(`"version":1`), []byte(`"version":7`), 1)))
}

func (m *vectorMaker) nextRoots() {
	a := *m.agency
	a.Roots = slices.Clone(a.Roots)
	a.Officers = []trusttest.Person{bruno, carla, dora}
	a.Rotate(anna)
	first, good := a.Roots[0], a.Roots[1]
	unsigned := m.edit(good, `it.example/test`, `it.example/test2`)
	unsigned = m.edit(unsigned, `it.example/test2`, `it.example/test`)
	next := func(name, comment, expect, says string, b []byte) {
		m.add("next-root"+name, comment, expect, says, part{"trusted/root.json", first}, part{"root.json", b})
	}
	next("", "dora comes for anna, signed by old and new officers", "ok", "", good)
	next("-by-old", "signed by the old officers alone", "untrusted", "1 of 2", m.sign(unsigned, anna, bruno))
	next("-by-new", "signed by the new officers alone", "untrusted", "by the officers of the root before", m.sign(unsigned, bruno, dora))
	next("-same-version", "the root that is trusted again", "untrusted", "does not follow", first)
	next("-skips", "version 3 after version 1", "untrusted", "does not follow", m.sign(m.edit(good, `"version":2`, `"version":3`), anna, bruno, carla, dora))
	next("-other-list", "the next root of another list", "untrusted", "list", m.sign(m.edit(good, `it.example/test`, `it.example/other`), anna, bruno, carla, dora))
}

// stamp makes parts of a timestamp and a snapshot over targets.
func (m *vectorMaker) stamp(prefix string, targets []byte, version int64, expires time.Time) []part {
	m.t.Helper()
	c := chain(m.t, targets, version, expires, online)
	return []part{{prefix + "timestamp.json", c.Timestamp}, {prefix + "snapshot.json", c.Snapshot}, {prefix + "targets.json", c.Targets}}
}

func (m *vectorMaker) trusted() part { return part{"trusted/root.json", m.agency.Roots[0]} }

func (m *vectorMaker) targets() {
	r := m.agency.Delta(m.agency.Release(7, "example.org"), "+www.example.net")
	good := r.Targets
	add := func(name, comment, expect, says string, b []byte) {
		m.add("targets"+name, comment, expect, says, append([]part{m.trusted()}, m.withTargets(good, b)...)...)
	}
	refuse := func(name, comment, says, old, now string) {
		add(name, comment, "malformed", says, m.sign(m.edit(good, old, now), anna, bruno))
	}
	add("", "a snapshot of serial 7 and a delta to serial 8", "ok", "", good)
	add("-one-signature", "one signature of two", "untrusted", "1 of 2", m.sign(m.edit(good, `"version":8`, `"version": 8`), anna))
	add("-stranger", "one officer and someone else", "untrusted", "1 of 2", m.sign(m.edit(good, `"version":8`, `"version": 8`), anna, dora))
	add("-altered", "altered after it was signed", "untrusted", "0 of 2", bytes.Replace(good, []byte(`"entries":2`), []byte(`"entries":3`), 1))
	add("-other-list", "of another list", "untrusted", "list", m.sign(m.edit(good, `it.example/test`, `it.example/other`), anna, bruno))
	add("-expired", "out of date", "expired", "targets", m.sign(m.edit(good, `"expires":"2027`, `"expires":"2025`), anna, bruno))
	refuse("-path", "the path of a file leads elsewhere", "file name", `"snapshot-7.txt.zst"`, `"../snapshot-7"`)
	refuse("-file-other-list", "a file is of another list", "list", `"list":"it.example/test"`, `"list":"it.example/other"`)
	refuse("-serial-later", "a file has a later serial than the document", "serial", `"serial":8`, `"serial":9`)
	refuse("-no-way", "the delta starts from a serial that nothing leads to", "no way", `"base":7`, `"base":6`)
	refuse("-no-hash", "a file has no SHA-256", "SHA-256", `"sha256"`, `"sha512"`)
	refuse("-digest", "a digest is no hexadecimal number", "digest", `"digest":"`, `"digest":"x`)
}

// withTargets makes parts of targets with snapshot and timestamp of good ones, but for length and hash, which they need
// not give.
func (m *vectorMaker) withTargets(good, b []byte) []part {
	m.t.Helper()
	parts := m.stamp("", good, 1, vectorStamped)
	parts[2].body = b
	parts[1].body = m.sign(m.withoutHash(parts[1].body), online)
	parts[0].body = m.sign(m.withoutHash(parts[0].body), online)
	return parts
}

func (m *vectorMaker) withoutHash(doc []byte) []byte {
	head, tail, ok := bytes.Cut(doc, []byte(`"hashes":`))
	require.True(m.t, ok)
	_, tail, ok = bytes.Cut(tail, []byte(`"version"`))
	require.True(m.t, ok)
	return m.edit(slices.Concat(head, []byte(`"version"`), tail), `"version"`, ` "version"`)
}

func (m *vectorMaker) chains() {
	seven, eight := m.agency.Release(7, "example.org").Targets, m.agency.Release(8, "example.org").Targets
	held := append([]part{m.trusted()}, m.stamp("held/", eight, 10, vectorStamped)...)
	add := func(name, comment, expect, says string, parts []part) {
		m.add("chain"+name, comment, expect, says, slices.Concat(held, parts)...)
	}
	nine := m.agency.Release(9, "example.org").Targets
	good := m.stamp("", nine, 11, vectorStamped)
	add("", "the next release", "ok", "", good)
	add("-same", "nothing new", "ok", "", m.stamp("", eight, 10, vectorStamped))
	add("-stamped-again", "the same release, a new timestamp", "ok", "", m.stamp("", eight, 11, vectorStamped))
	add("-rollback-timestamp", "an older timestamp", "rollback", "timestamp", m.stamp("", eight, 9, vectorStamped))
	add("-rollback-targets", "an older release, stamped again", "rollback", "older", m.stamp("", seven, 11, vectorStamped))
	add("-fork", "another release of the serial that is held", "rollback", "serial 8", m.stamp("", m.agency.Release(8, "example.net").Targets, 11, vectorStamped))
	add("-expired", "the timestamp is out of date", "expired", "timestamp", m.stamp("", nine, 11, vectorNow.Add(-time.Hour)))
	mixed := slices.Clone(good)
	mixed[2].body = eight
	add("-mixed-targets", "other targets than the snapshot names", "untrusted", "targets", mixed)
	mixed = slices.Clone(good)
	mixed[1].body = m.stamp("", eight, 11, vectorStamped)[1].body
	add("-mixed-snapshot", "another snapshot than the timestamp names", "untrusted", "snapshot", mixed)
	stolen := chain(m.t, nine, 11, vectorStamped, anna)
	add("-by-officer", "stamped by an officer, who is not the origin", "untrusted", "timestamp",
		[]part{{"timestamp.json", stolen.Timestamp}, {"snapshot.json", stolen.Snapshot}, {"targets.json", stolen.Targets}})
	long := slices.Clone(good)
	long[0].body = m.sign(m.edit(long[0].body, `"length":`, `"length":99999`), online)
	add("-too-large", "the snapshot is said to be longer than allowed", "too large", "timestamp", long)
}

func (m *vectorMaker) bundles() {
	r := m.agency.Delta(m.agency.Release(7, "example.org"), "+www.example.net")
	whole := m.agency.Bundle(r)
	add := func(name, comment, expect, says string, b []byte) {
		m.add("bundle"+name, comment, expect, says, m.trusted(), part{bundlePart, []byte(base64.StdEncoding.EncodeToString(b))})
	}
	file := r.Files[trusttest.DeltaPath(8)]
	altered := bytes.Clone(file)
	altered[len(altered)/2] ^= 1
	add("", "root 1, targets, a snapshot and a delta", "ok", "", whole)
	add("-cut", "cut in the middle", "malformed", "tar", whole[:1100])
	add("-altered", "a file is not the one that was signed", "untrusted", "SHA-256", bytes.Replace(whole, file, altered, 1))
	one := r
	one.Targets = m.sign(m.edit(r.Targets, `"version":8`, `"version": 8`), anna)
	add("-one-signature", "one signature of two", "untrusted", "1 of 2", m.agency.Bundle(one))
	h, text := m.agency.Text(8, "example.org", "example.net")
	bomb := trusttest.Compress(m.t, append(text, make([]byte, 4<<20)...))
	add("-bomb", "a small file that unpacks to much", "too large", "longer than 64 KiB", m.agency.Bundle(m.agency.Pack(h, bomb)))
	short := trusttest.Compress(m.t, bytes.Replace(text, []byte("example.net\n"), nil, 1))
	add("-entry-missing", "an entry is missing", "digest", "1 entries", m.agency.Bundle(m.agency.Pack(h, short)))
	other := *m.agency
	other.List = "it.example/other"
	_, text = other.Text(8, "example.org", "example.net")
	add("-file-other-list", "a file says that it is of another list", "untrusted", "it.example/other", m.agency.Bundle(m.agency.Pack(h, trusttest.Compress(m.t, text))))
}
