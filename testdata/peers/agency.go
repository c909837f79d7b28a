package peers

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

// Agency publishes a list with the command blocklist. Its origin serves the list over HTTP.
type Agency struct {
	Root string // path of the list's root
	URL  string // URL of the origin
	Dir  string // the agency's folder; the officer's key, anna.key, is beside it

	t                         testing.TB
	command, dir, origin, key string
}

// NewAgency makes an agency with one officer, and starts its origin. The argument blocklist is the path of the command,
// from [Build].
func NewAgency(t testing.TB, blocklist, list string) *Agency {
	t.Helper()
	dir := t.TempDir()
	a := &Agency{
		t: t, command: blocklist, dir: dir, Dir: filepath.Join(dir, "DIR"), origin: filepath.Join(dir, "ORIGIN"),
		key: filepath.Join(dir, "anna.key"),
	}
	a.Root = filepath.Join(a.Dir, "root.json")
	a.run("keygen", "-o", a.key, "--no-passphrase")
	a.run("origin", "init", a.origin)
	a.run("init", a.Dir, "--list", list, "--origin-key", filepath.Join(a.origin, "online.pub"), "--officer",
		filepath.Join(dir, "anna.pub"), "--threshold", "1")
	a.sign()
	a.run("origin", "trust", a.origin, a.Root)
	addr := freeport.Addr(t)
	Start(t, dir, blocklist, "origin", "serve", a.origin, "--listen", addr)
	a.URL = "http://" + addr
	require.True(t, Wait(t, 10*time.Second, func() bool {
		resp, err := http.Get(a.URL + "/healthz")
		return err == nil && resp.Body.Close() == nil
	}))
	return a
}

// Publish lists entries, signs the release, and pushes it.
func (a *Agency) Publish(entries ...string) {
	a.t.Helper()
	a.Do(append([]string{"add", "--reason", "a test"}, entries...)...)
	a.Do("release")
	a.sign()
	a.Do("push", a.URL)
}

// Do runs the command blocklist on the agency's folder, and returns its output.
func (a *Agency) Do(args ...string) string {
	a.t.Helper()
	return a.run(append([]string{"-C", a.Dir}, args...)...)
}

func (a *Agency) sign() {
	a.t.Helper()
	a.Do("sign", "--key", a.key, "--yes")
}

func (a *Agency) run(args ...string) string {
	a.t.Helper()
	return Run(a.t, a.dir, a.command, args...)
}
