package origin_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
)

// house is an origin that trusts the list of an agency.
type house struct {
	*origin.Origin
	dir    string
	agency *trusttest.Agency
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	public, err := origin.Init(dir)
	require.NoError(t, err)
	online, err := notekey.Parse(public)
	require.NoError(t, err)
	o, err := origin.Open(dir, origin.Options{})
	require.NoError(t, err)
	a := trusttest.NewAgency(t, online)
	list, err := o.Trust(a.Roots[0])
	require.NoError(t, err)
	require.Equal(t, trusttest.List, list)
	return &house{o, dir, a}
}

func (h *house) push(t *testing.T, r trusttest.Release) error {
	t.Helper()
	_, err := h.Accept(t.Context(), bytes.NewReader(h.agency.Bundle(r)))
	return err
}

// visible returns the content of all files that the origin serves.
func (h *house) visible(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := filepath.Join(h.dir, "lists")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[filepath.ToSlash(strings.TrimPrefix(path, root))] = string(b)
		return err
	}))
	return all
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := origin.Open(dir, origin.Options{})
	assert.ErrorContains(t, err, "origin init")
	_, err = origin.Init(dir)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "online.key"))
	require.NoError(t, err)
	if os.PathSeparator == '/' {
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	_, err = origin.Init(dir)
	assert.ErrorContains(t, err, "never overwritten")
}

func TestAccept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.agency.Release(1, "example.org", "=www.example.net")
	got, err := h.Accept(t.Context(), bytes.NewReader(h.agency.Bundle(r)))
	require.NoError(t, err)
	assert.Equal(t, uint64(1), got.Serial)
	assert.Equal(t, uint64(2), got.Entries)
	assert.Equal(t, trusttest.List, got.List)

	before := h.visible(t)
	require.NoError(t, h.push(t, r), "a repeated push")
	assert.Equal(t, before, h.visible(t))
	require.NoError(t, h.push(t, h.agency.Release(2)), "a list may become empty; guards are the subscriber's")
	assert.ErrorIs(t, h.push(t, r), blocklist.ErrRollback)
	assert.ErrorIs(t, h.push(t, h.agency.Release(2, "example.org")), blocklist.ErrRollback, "same serial, other content")
}

// A push that is refused leaves no trace.
func TestAcceptRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.push(t, h.agency.Release(5, "example.org")))
	a := h.agency
	header, text := a.Text(6, "example.org", "www.example.org")
	file := trusttest.Compress(t, text)
	other := header
	other.Digest = blocklist.Digest{}
	expired := *a
	expired.Expires = time.Now().Add(-time.Hour)
	stranger := trusttest.NewAgency(t, a.Online)
	stranger.List = "it.example/other"
	stranger.Roots = nil
	stranger.Rotate()
	fork := trusttest.NewAgency(t, a.Online)
	fork.Officers = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}
	fork.Roots = nil
	fork.Rotate()
	rekeyed := *a
	rekeyed.Online = trusttest.NewPerson("elsewhere").Key
	rekeyed.Rotate()
	altered := bytes.Clone(file)
	altered[len(altered)/2] ^= 1
	whole := a.Bundle(a.Pack(header, file))

	tests := map[string]struct {
		bundle []byte
		want   error
		says   string
	}{
		"under-signed":        {a.Bundle(trusttest.Release{Targets: trusttest.Sign(t, a.Unsigned(header, file), a.Officers[1]), Files: map[string][]byte{trusttest.SnapshotPath(6): file}}), blocklist.ErrUntrusted, "anna, carla"},
		"cut short":           {whole[:len(whole)-2048], nil, ""},
		"cut in a file":       {whole[:bytes.Index(whole, file)+10], nil, ""},
		"altered":             {bytes.Replace(whole, file, altered, 1), blocklist.ErrUntrusted, "SHA-256"},
		"not compressed":      {a.Bundle(a.Pack(header, text)), blocklist.ErrMalformed, ""},
		"bomb":                {a.Bundle(a.Pack(header, trusttest.Compress(t, append(text, bytes.Repeat([]byte("a.example.org\n"), 4<<20)...)))), blocklist.ErrMalformed, ""},
		"wrong digest signed": {a.Bundle(a.Pack(other, file)), blocklist.ErrUntrusted, "digest"},
		"wrong serial signed": {a.Bundle(a.Pack(blocklist.Header{List: a.List, Serial: 7, Entries: 2, Digest: header.Digest, Created: header.Created}, file)), blocklist.ErrUntrusted, "serial"},
		"text cut short":      {a.Bundle(a.Pack(header, trusttest.Compress(t, text[:len(text)-4]))), blocklist.ErrMalformed, ""},
		"entry missing":       {a.Bundle(a.Pack(header, trusttest.Compress(t, text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]))), blocklist.ErrDigest, ""},
		"release expired":     {expired.Bundle(expired.Pack(header, file)), blocklist.ErrExpired, "new release"},
		"list not trusted":    {stranger.Bundle(stranger.Release(6, "example.org")), blocklist.ErrUntrusted, "origin trust"},
		"other root":          {fork.Bundle(fork.Release(6, "example.org")), blocklist.ErrUntrusted, "not the one that this origin trusts"},
		"other online key":    {rekeyed.Bundle(rekeyed.Pack(header, file)), blocklist.ErrUntrusted, "online key"},
		"no bundle":           {[]byte("hello"), blocklist.ErrMalformed, ""},
	}
	before := h.visible(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := h.Accept(t.Context(), bytes.NewReader(test.bundle))
			require.Error(t, err)
			if test.want != nil {
				assert.ErrorIs(t, err, test.want)
			}
			assert.ErrorContains(t, err, test.says)
			assert.Equal(t, before, h.visible(t))
			left, err := filepath.Glob(filepath.Join(h.dir, "tmp", "*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
	assert.NoError(t, h.push(t, a.Pack(header, file)), "the good one still goes through")
}

func TestBundleOfAnotherLengthOrOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.agency.Release(1, "example.org")
	path := trusttest.SnapshotPath(1)
	whole := h.agency.Bundle(r)
	renamed := bytes.Replace(whole, []byte("targets/"+path), []byte("targets/../x/y-1.txt.zst"), 1)
	_, err := h.Accept(t.Context(), bytes.NewReader(renamed))
	assert.Error(t, err)
	_, err = h.Accept(t.Context(), iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(whole))))
	assert.Error(t, err)
	assert.NotContains(t, h.visible(t), "/"+trusttest.List+"/timestamp.json")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.agency
	first := a.Release(1, "example.org")
	require.NoError(t, h.push(t, first))
	bruno := a.Officers[1]
	a.Officers = []trusttest.Person{a.Officers[0], trusttest.NewPerson("dora"), a.Officers[2]}
	a.Rotate(bruno)
	err := h.push(t, first)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "bruno signed it, and counts no more")
	require.NoError(t, h.push(t, a.Release(2, "example.org")))
	assert.Contains(t, h.visible(t), "/"+trusttest.List+"/2.root.json")

	old := *a
	old.Roots = a.Roots[:1]
	old.Officers = []trusttest.Person{a.Officers[0], bruno}
	assert.ErrorIs(t, h.push(t, old.Release(3, "example.org")), blocklist.ErrUntrusted)
	bundle := old.Bundle(old.Release(3, "example.org"))
	_, err = h.Accept(t.Context(), bytes.NewReader(bundle))
	assert.ErrorIs(t, err, blocklist.ErrRollback, "a bundle that stops at the root before")
}

func TestTrust(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.Trust(h.agency.Roots[0])
	assert.NoError(t, err, "again")
	other := trusttest.NewAgency(t, h.agency.Online)
	other.Threshold = 3
	other.Roots = nil
	other.Rotate()
	_, err = h.Trust(other.Roots[0])
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "another root for the same list")
	foreign := trusttest.NewAgency(t, trusttest.NewPerson("elsewhere").Key)
	_, err = h.Trust(foreign.Roots[0])
	assert.ErrorContains(t, err, "online key")
	unsigned, err := trust.NewRoot(trust.RootSpec{
		List: "it.example/new", Version: 1, Expires: time.Now().Add(time.Hour), Threshold: 1,
		Officers: []notekey.Key{h.agency.Officers[0].Key}, Online: h.agency.Online,
	})
	require.NoError(t, err)
	_, err = h.Trust(unsigned)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted)
}

// What a killed push leaves is removed when the origin is opened again, but not what another process is working on.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	before := h.visible(t)
	dead, alive := filepath.Join(h.dir, "tmp", "push-dead"), filepath.Join(h.dir, "tmp", "push-alive")
	require.NoError(t, os.MkdirAll(dead, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dead, "file-0"), []byte("half"), 0o600))
	require.NoError(t, os.MkdirAll(alive, 0o700))
	lock, err := disk.Lock(filepath.Join(alive, "lock"))
	require.NoError(t, err)
	defer lock.Close()
	h.agency.Rotate()
	listDir := filepath.Join(h.dir, "lists", filepath.FromSlash(trusttest.List))
	require.NoError(t, os.WriteFile(filepath.Join(listDir, "2.root.json"), h.agency.Roots[1], 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(listDir, disk.TempPrefix+"x"), nil, 0o644))

	_, err = origin.Open(h.dir, origin.Options{})
	require.NoError(t, err)
	assert.NoDirExists(t, dead)
	assert.DirExists(t, alive)
	assert.Equal(t, before, h.visible(t), "a root without its timestamp never came")
}

func TestTwoWriters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		lock, err := disk.Lock(filepath.Join(h.dir, "lock"))
		require.NoError(t, err)
		err = h.push(t, h.agency.Release(1, "example.org"))
		assert.ErrorIs(t, err, blocklist.ErrBusy)
		require.NoError(t, lock.Close())
		assert.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	})
}

func TestOldReleasesAreRemoved(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for serial := range uint64(12) {
		require.NoError(t, h.push(t, h.agency.Release(serial+1, "example.org")))
	}
	count := map[string]int{}
	for path := range h.visible(t) {
		for _, kind := range []string{".targets.json", ".snapshot.json", ".txt.zst", ".root.json"} {
			if strings.HasSuffix(path, kind) {
				count[kind]++
			}
		}
	}
	assert.Equal(t, map[string]int{".targets.json": 8, ".snapshot.json": 8, ".txt.zst": 8, ".root.json": 1}, count)
}

// A disk that takes nothing more stops a push, and what was published stays whole.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	before := h.visible(t)
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "tmp")))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "tmp"), nil, 0o600)) // no folder can be made here
	err := h.push(t, h.agency.Release(2, "example.org"))
	require.Error(t, err)
	assert.NotErrorIs(t, err, blocklist.ErrUntrusted)
	assert.Equal(t, before, h.visible(t))
}

func TestContextEndsPush(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	bundle := h.agency.Bundle(h.agency.Release(1, "example.org"))
	half := io.MultiReader(bytes.NewReader(bundle[:len(bundle)/2]), readFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
	_, err := h.Accept(ctx, half)
	assert.ErrorIs(t, err, context.Canceled)
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// A push need not bring what the origin has; what it lacks, the origin names.
func TestPushOfDeltas(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.agency
	first := a.Release(1, "example.org", "example.net")
	second := a.Delta(first, "+www.example.test")
	third := a.Delta(second, "-example.net")
	require.NoError(t, h.push(t, first))
	only := func(r trusttest.Release, serial uint64) []byte {
		spec, err := trust.ParseTargets(r.Targets)
		require.NoError(t, err)
		f, ok := spec.File(serial-1, serial)
		require.True(t, ok)
		var out bytes.Buffer
		require.NoError(t, trust.WriteBundle(&out, a.Roots, nil, r.Targets, []trust.File{f}, func(f trust.File) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(r.Files[f.Path])), nil
		}))
		return out.Bytes()
	}
	before := h.visible(t)
	_, err := h.Accept(t.Context(), bytes.NewReader(only(third, 3)))
	assert.ErrorIs(t, err, blocklist.ErrGap)
	var missing *trust.MissingError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, []string{trusttest.DeltaPath(2)}, missing.Paths)
	assert.Equal(t, before, h.visible(t))

	got, err := h.Accept(t.Context(), bytes.NewReader(only(second, 2)))
	require.NoError(t, err)
	assert.Equal(t, uint64(2), got.Serial)
	got, err = h.Accept(t.Context(), bytes.NewReader(only(third, 3)))
	require.NoError(t, err)
	assert.Equal(t, uint64(2), got.Entries)

	// A delta that officers signed, but that does not lead where they say, comes no further than here.
	forged, text := a.Text(4, "x.example.test")
	forged.Base = 3
	text = bytes.Replace(text, []byte("serial: 4\n"), []byte("serial: 4\nbase: 3\n"), 1)
	text = bytes.Replace(text, []byte("x.example.test"), []byte("+x.example.test"), 1)
	before = h.visible(t)
	assert.ErrorIs(t, h.push(t, a.Join(third, forged, trusttest.Compress(t, text))), blocklist.ErrDigest)
	assert.Equal(t, before, h.visible(t))
}
