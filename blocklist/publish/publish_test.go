package publish_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

const list = "it.example/test"

var cause = publish.Audit{Author: "anna", Reason: "test", Reference: "order 2026/17"}

// override is a cause that lets pass what the guards hold.
var override = publish.Audit{Author: "anna", Reason: "test", Override: "the guards know no test"}

// agency is a ledger with two officers, both of whom must sign.
type agency struct {
	*publish.Ledger
	dir         string
	anna, bruno crypto.Signer
}

// ownAgency makes an agency with keys of its own, by the test's clock. Its root is signed.
func ownAgency(t testing.TB) *agency {
	t.Helper()
	a := initAgency(t)
	a.sign(t, a.anna, a.bruno)
	return a
}

// newAgency returns a copy of an agency that is made once, since most tests want one. Its root is signed.
func newAgency(t testing.TB) *agency {
	t.Helper()
	signed.once.Do(func() {
		a := ownAgency(t)
		require.NoError(t, a.Close())
		signed.anna, signed.bruno, signed.files = a.anna, a.bruno, readFolder(t, a.dir)
	})
	require.NotEmpty(t, signed.files)
	a := &agency{dir: filepath.Join(t.TempDir(), "agency"), anna: signed.anna, bruno: signed.bruno}
	for _, f := range signed.files {
		f.write(t, a.dir)
	}
	a.open(t)
	return a
}

var signed struct {
	once        sync.Once
	anna, bruno crypto.Signer
	files       []file
}

// file is a file or a folder.
type file struct {
	name    string
	mode    fs.FileMode
	content []byte
}

// readFolder reads all files and folders, each folder before what is in it.
func readFolder(t testing.TB, dir string) (all []file) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := file{mode: info.Mode()}
		if f.name, err = filepath.Rel(dir, path); err == nil && !d.IsDir() {
			f.content, err = os.ReadFile(path)
		}
		all = append(all, f)
		return err
	}))
	return all
}

func (f file) write(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, f.name)
	if f.mode.IsDir() {
		require.NoError(t, os.Mkdir(path, f.mode.Perm()))
	} else {
		require.NoError(t, os.WriteFile(path, f.content, f.mode.Perm()))
	}
	require.NoError(t, os.Chmod(path, f.mode.Perm())) // whatever the umask
}

// initAgency makes an agency whose root waits for signatures.
func initAgency(t testing.TB) *agency {
	t.Helper()
	return initAgencyWith(t, func(*publish.InitOptions) {})
}

// initAgencyWith is initAgency with other options.
func initAgencyWith(t testing.TB, change func(*publish.InitOptions)) *agency {
	t.Helper()
	keys := t.TempDir()
	a := &agency{dir: filepath.Join(t.TempDir(), "agency")}
	var officers []string
	officers, a.anna = keypair(t, keys, "anna", officers)
	officers, a.bruno = keypair(t, keys, "bruno", officers)
	origin, _ := keypair(t, keys, "origin", nil)
	options := publish.InitOptions{List: list, OriginKey: origin[0], Officers: officers, Threshold: 2, Author: "anna"}
	change(&options)
	require.NoError(t, publish.Init(t.Context(), a.dir, options))
	a.open(t)
	return a
}

// open opens the ledger, again if it was open.
func (a *agency) open(t testing.TB) {
	t.Helper()
	var err error
	a.Ledger, err = publish.Open(a.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
}

func keypair(t testing.TB, dir, name string, officers []string) ([]string, crypto.Signer) {
	t.Helper()
	path := filepath.Join(dir, name+".key")
	public, err := keys.Generate(path, filepath.Join(dir, name+".pub"), name, "")
	require.NoError(t, err)
	signer, err := keys.Load(path, nil)
	require.NoError(t, err)
	return append(officers, public), signer
}

func (a *agency) sign(t testing.TB, officers ...crypto.Signer) {
	t.Helper()
	for _, officer := range officers {
		p, err := a.Pending()
		require.NoError(t, err)
		_, err = a.Sign(t.Context(), p, officer)
		require.NoError(t, err)
	}
}

// release makes, signs and pushes a release, and returns the bundle.
func (a *agency) release(t testing.TB) *trust.Bundle {
	t.Helper()
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t, a.anna, a.bruno)
	path := filepath.Join(t.TempDir(), "bundle")
	_, err = a.Push(t.Context(), toFile(path), publish.Audit{Author: "anna", Reason: "a file"})
	require.NoError(t, err)
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	b, err := trust.OpenBundle(f)
	require.NoError(t, err)
	return b
}

func entry(t testing.TB, line string) blocklist.Entry {
	t.Helper()
	e, err := blocklist.ParseEntry(line)
	require.NoError(t, err)
	return e
}

func entries(t testing.TB, lines ...string) []blocklist.Entry {
	t.Helper()
	var all []blocklist.Entry
	for _, line := range lines {
		all = append(all, entry(t, line))
	}
	return all
}

// stream is entries as Import takes them.
func stream(all []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// lines collects what is listed.
func (a *agency) lines(t testing.TB) []string {
	t.Helper()
	var all []string
	for e, err := range a.Entries(t.Context()) {
		require.NoError(t, err)
		all = append(all, e.String())
	}
	return all
}

func collect(t testing.TB, changes iter.Seq2[blocklist.Change, error]) []string {
	t.Helper()
	var all []string
	for c, err := range changes {
		require.NoError(t, err)
		sign := "+"
		if c.Removed {
			sign = "-"
		}
		all = append(all, sign+c.Entry.String())
	}
	return all
}

func toFile(path string) publish.Transport {
	return func(_ context.Context, _ string, bundle io.Reader) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, bundle)
		return errors.Join(err, f.Close())
	}
}
