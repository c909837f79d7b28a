// Package trusttest makes agencies, releases and bundles for tests of the packages that implement The Update Framework.
// Everything that it makes is deterministic, except for times.
package trusttest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// List is the name of the list of a new Agency.
const List = "it.example/test"

// Person is an officer or another holder of a key.
type Person struct {
	notekey.Key
	Private ed25519.PrivateKey
}

// NewPerson makes a key pair that depends on the name only.
func NewPerson(name string) Person {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	return Person{Key: notekey.Key{Name: name, Public: private.Public().(ed25519.PublicKey)}, Private: private}
}

// Agency makes roots and releases of a list. Tests may change its fields at any time; the next document has the new
// values.
type Agency struct {
	T         testing.TB
	List      string
	Officers  []Person
	Threshold int
	Online    notekey.Key
	Urgent    trust.Urgent
	Key       trust.ListKey     // key of a confidential list; nil: the list is not confidential
	To        []trust.Recipient // subscribers of a confidential list
	Expires   time.Time         // expiry of the next documents
	Created   time.Time         // time of creation of the next releases
	Roots     [][]byte
}

// NewAgency makes an agency of three officers, two of whom must sign, and its first root.
func NewAgency(t testing.TB, online notekey.Key) *Agency {
	t.Helper()
	a := &Agency{
		T: t, List: List, Officers: []Person{NewPerson("anna"), NewPerson("bruno"), NewPerson("carla")},
		Threshold: 2, Online: online, Expires: time.Now().Add(365 * 24 * time.Hour),
		Created: time.Now().Truncate(time.Second),
	}
	a.Rotate()
	return a
}

// Rotate makes the next root from the fields of the agency. All officers of the new root and the given officers of the
// previous root sign it.
func (a *Agency) Rotate(before ...Person) {
	a.T.Helper()
	spec := trust.RootSpec{
		List: a.List, Version: int64(len(a.Roots)) + 1, Expires: a.Expires, Threshold: a.Threshold,
		Online: a.Online, Urgent: a.Urgent, Confidential: a.Key != nil,
	}
	for _, p := range a.Officers {
		spec.Officers = append(spec.Officers, p.Key)
	}
	root, err := trust.NewRoot(spec)
	check(a.T, err)
	a.Roots = append(a.Roots, Sign(a.T, root, slices.Concat(a.Officers, before)...))
}

// Sign returns the document with the signatures of people added.
func Sign(t testing.TB, doc []byte, people ...Person) []byte {
	t.Helper()
	for _, p := range people {
		var err error
		doc, err = tuf.Sign(doc, p.Private)
		check(t, err)
	}
	return doc
}

// Release is a release with its files.
type Release struct {
	Targets []byte
	Urgent  []byte            // urgent orders for the release; nil: none
	Files   map[string][]byte // content of each file by its path in the targets
}

// Release makes a snapshot of entries, signed by the first Threshold officers.
func (a *Agency) Release(serial uint64, entries ...string) Release {
	a.T.Helper()
	h, text := a.Text(serial, entries...)
	return a.Pack(h, a.Seal(Compress(a.T, text)))
}

// Seal encrypts a file if the list is confidential, and otherwise returns it unchanged.
func (a *Agency) Seal(file []byte) []byte {
	a.T.Helper()
	if a.Key == nil {
		return file
	}
	var out bytes.Buffer
	w, err := a.Key.Seal(&out)
	check(a.T, err)
	_, err = w.Write(file)
	check(a.T, err)
	check(a.T, w.Close())
	return out.Bytes()
}

// path returns the path of a file in the targets. Its suffix says whether the file is encrypted.
func (a *Agency) path(plain string) string {
	if a.Key == nil {
		return plain
	}
	return plain + ".age"
}

// keyFiles encrypts the list key to the subscribers, one key file for each kind of recipients. It adds the content of
// the key files to its argument, and returns their descriptions.
func (a *Agency) keyFiles(files map[string][]byte) (keys []trust.File) {
	a.T.Helper()
	for _, kind := range trust.Kinds() {
		to := slices.DeleteFunc(slices.Clone(a.To), func(r trust.Recipient) bool { return r.Kind != kind })
		if a.Key == nil || len(to) == 0 {
			continue
		}
		b, err := trust.EncryptKey(a.Key, to)
		check(a.T, err)
		sum := sha256.Sum256(b)
		f := trust.NewKeyFile(kind, int64(len(b)), sum[:])
		keys, files[f.Path] = append(keys, f), b
	}
	return keys
}

// Text returns the header and the text of a snapshot with the given entries.
func (a *Agency) Text(serial uint64, entries ...string) (blocklist.Header, []byte) {
	a.T.Helper()
	var all []blocklist.Entry
	h := blocklist.Header{List: a.List, Serial: serial, Entries: uint64(len(entries)), Created: a.Created}
	for _, line := range entries {
		e, err := blocklist.ParseEntry(line)
		check(a.T, err)
		h.Digest.Add(e.Append(nil))
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b blocklist.Entry) int { return bytes.Compare([]byte(a.Target()), []byte(b.Target())) })
	var lines []blocklist.Change
	for _, e := range all {
		lines = append(lines, blocklist.Change{Entry: e})
	}
	return h, writeText(a.T, h, lines)
}

func writeText(t testing.TB, h blocklist.Header, lines []blocklist.Change) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&out, h)
	check(t, err)
	for _, c := range lines {
		check(t, w.Write(c))
	}
	check(t, w.Close())
	return out.Bytes()
}

// Compress compresses with zstd.
func Compress(t testing.TB, text []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10), // most releases are a few lines
		zstd.WithLowerEncoderMem(true))
	check(t, err)
	defer z.Close() //nolint:errcheck // it writes nowhere
	return z.EncodeAll(text, nil)
}

// Orders makes an urgent document for a serial, with a number from 1, signed by people.
func (a *Agency) Orders(number int64, serial uint64, entries []string, people ...Person) []byte {
	a.T.Helper()
	spec := trust.UrgentSpec{
		List: a.List, Version: trust.UrgentVersion(serial, number), Serial: serial,
		Expires: time.Now().Add(24 * time.Hour),
	}
	for _, line := range entries {
		e, err := blocklist.ParseEntry(line)
		check(a.T, err)
		spec.Entries = append(spec.Entries, e)
	}
	doc, err := trust.NewUrgent(spec, a.Key)
	check(a.T, err)
	return Sign(a.T, doc, people...)
}

// Pack makes a signed release whose snapshot is the given file. The header h describes the snapshot; the content of the
// file is not checked.
func (a *Agency) Pack(h blocklist.Header, file []byte) Release {
	a.T.Helper()
	path := a.path(SnapshotPath(h.Serial))
	return a.release([]trust.File{describe(path, h, file)}, map[string][]byte{path: file})
}

// release makes a release of the given files, signed by the first Threshold officers.
func (a *Agency) release(files []trust.File, content map[string][]byte) Release {
	a.T.Helper()
	return Release{Targets: Sign(a.T, a.targets(files, content), a.Officers[:a.Threshold]...), Files: content}
}

// Unsigned makes an unsigned targets document for a release whose snapshot is the given file. The header h describes
// the snapshot.
func (a *Agency) Unsigned(h blocklist.Header, file []byte) []byte {
	a.T.Helper()
	path := a.path(SnapshotPath(h.Serial))
	return a.targets([]trust.File{describe(path, h, file)}, map[string][]byte{})
}

func (a *Agency) targets(files []trust.File, content map[string][]byte) []byte {
	a.T.Helper()
	newest := files[len(files)-1].Release.Serial
	spec := trust.TargetsSpec{
		List: a.List, Version: int64(newest), Expires: a.Expires, Files: files,
		Keys: a.keyFiles(content), Key: a.Key,
	}
	targets, err := trust.NewTargets(spec)
	check(a.T, err)
	return targets
}

// open parses targets, and decrypts them with the agency's key if the list is confidential.
func (a *Agency) open(targets []byte) trust.TargetsSpec {
	a.T.Helper()
	spec, err := trust.ParseTargets(targets)
	check(a.T, err)
	spec, err = spec.Open(a.Key)
	check(a.T, err)
	return spec
}

func describe(path string, h blocklist.Header, file []byte) trust.File {
	sum := sha256.Sum256(file)
	return trust.File{Path: path, Length: int64(len(file)), SHA256: sum[:], Release: trust.Release{
		List: h.List, Serial: h.Serial, Base: h.Base, Entries: h.Entries, Digest: h.Digest.String(), Created: h.Created,
	}}
}

// Delta makes the release after another one. Each change is an entry line with its sign, in the order of a delta.
func (a *Agency) Delta(before Release, changes ...string) Release {
	a.T.Helper()
	h, err := a.open(before.Targets).Newest().Header()
	check(a.T, err)
	h.Base, h.Serial = h.Serial, h.Serial+1
	var lines []blocklist.Change
	for _, text := range changes {
		e, err := blocklist.ParseEntry(text[1:])
		check(a.T, err)
		lines = append(lines, blocklist.Change{Removed: text[0] == '-', Entry: e})
		if text[0] == '-' {
			h.Digest.Remove(e.Append(nil))
			h.Entries--
		} else {
			h.Digest.Add(e.Append(nil))
			h.Entries++
		}
	}
	return a.Join(before, h, a.Seal(Compress(a.T, writeText(a.T, h, lines))))
}

// Join makes a signed release with one more delta than the previous release: the given file, which leads to the state
// in the header h. The content of the file is not checked.
func (a *Agency) Join(previous Release, h blocklist.Header, file []byte) Release {
	a.T.Helper()
	return a.with(previous, DeltaPath(h.Serial), h, file)
}

// WithSnapshot adds a snapshot of the newest serial to a release, and signs it again. The header h describes the file;
// the content of the file is not checked.
func (a *Agency) WithSnapshot(r Release, h blocklist.Header, file []byte) Release {
	a.T.Helper()
	return a.with(r, SnapshotPath(h.Serial), h, file)
}

func (a *Agency) with(before Release, path string, h blocklist.Header, file []byte) Release {
	a.T.Helper()
	path = a.path(path)
	content := maps.Clone(before.Files)
	content[path] = file
	return a.release(append(a.open(before.Targets).Files, describe(path, h, file)), content)
}

// DeltaPath returns the path of the delta that leads to a serial.
func DeltaPath(serial uint64) string { return fmt.Sprintf("delta-%d-%d.txt.zst", serial-1, serial) }

// SnapshotPath returns the path of a snapshot.
func SnapshotPath(serial uint64) string { return fmt.Sprintf("snapshot-%d.txt.zst", serial) }

// Bundle returns the content of a push: a bundle of the release and the agency's roots.
func (a *Agency) Bundle(r Release) []byte {
	a.T.Helper()
	spec, err := trust.ParseTargets(r.Targets)
	check(a.T, err)
	var out bytes.Buffer
	check(a.T, trust.WriteBundle(&out, a.Roots, r.Urgent, r.Targets, spec.All(),
		func(f trust.File) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(r.Files[f.Path])), nil
		}))
	return out.Bytes()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
