//go:build unix

package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// What is kept against rollback lies neither in a cache nor in a folder for temporary files.
func TestDefaultState(t *testing.T) {
	home, state := t.TempDir(), t.TempDir()
	for _, c := range []struct{ service, xdg, home, want string }{
		{state + ":/elsewhere", "/x", home, state},
		{"", state, home, filepath.Join(state, "argine", "dnsfilter")},
		{"", "relative", home, filepath.Join(home, ".local", "state", "argine", "dnsfilter")},
		{"", "", "", ""},
	} {
		t.Setenv("STATE_DIRECTORY", c.service)
		t.Setenv("XDG_STATE_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		assert.Equal(t, c.want, config.Default().State)
	}
	_, err := service.New(func() (*config.Settings, error) { return config.Default(), nil }, nil)
	assert.ErrorContains(t, err, "name one with the key state")
	_, err = service.NewControl("").Status(t.Context())
	assert.ErrorContains(t, err, "name one with the key state")
}

func TestStateFolderOfOthers(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "")
	state := filepath.Join(r.dir, "state")
	require.NoError(t, os.Mkdir(state, 0o755))
	serve := func() error {
		s, err := service.New(r.read, nil)
		assert.Nil(t, s)
		return err
	}
	for _, mode := range []os.FileMode{0o775, 0o757, 0o777 | os.ModeSticky} {
		require.NoError(t, os.Chmod(state, mode))
		err := serve()
		require.ErrorIs(t, err, blocklist.ErrUntrusted, mode)
		assert.ErrorContains(t, err, "chmod go-w")
		s, err := r.read()
		require.NoError(t, err)
		assert.ErrorContains(t, s.CheckFiles(), "dnsfilter.yaml:4:8: the state folder "+state+" has mode 07")
	}
	require.NoError(t, os.Chmod(state, 0o755))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(state, 12345, -1))
		assert.ErrorContains(t, serve(), "belongs to user 12345")
		require.NoError(t, os.Chown(state, 0, -1))
	}
	r.start(t)
	assert.Contains(t, r.log.String(), "state="+state)
}

// A folder whose path is too long for a socket serves all the same, and says what to do.
func TestStateFolderWithALongPath(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "")
	r.write(t, "head.yaml", strings.Replace(r.head(t), "state: state", "state: "+strings.Repeat("s", 100), 1))
	r.settings(t, "")
	s, err := r.read()
	require.NoError(t, err)
	assert.ErrorContains(t, s.CheckFiles(), "name a shorter folder with the key state")
	r.start(t)
	assert.Contains(t, r.log.String(), "name a shorter folder with the key state")
}

// What is no file is refused at once, in words, everywhere: no one waits for the writer of a pipe.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	path := dnstest.WriteFile(t, dir, "dnsfilter.yaml", `state: state
allow: [pipe, .]
guard: {protected: [pipe], popular: [/dev/null]}
cookie_secrets: pipe
lists:
  - {name: a, file: pipe}
  - {name: b, root: pipe, from: [https://o.example]}
`)
	done := make(chan error, 1)
	go func() {
		s, err := config.Read(path)
		if err == nil {
			err = s.CheckFiles()
		}
		done <- err
	}()
	select {
	case err := <-done:
		require.Error(t, err)
		assert.Equal(t, 5, strings.Count(err.Error(), "pipe: malformed: a file is needed here, and this is a pipe"), err)
		assert.Contains(t, err.Error(), "and this is a folder")
		assert.Contains(t, err.Error(), "and this is a device")
	case <-time.After(10 * time.Second):
		require.FailNow(t, "it waits for the writer of a pipe")
	}
	for _, no := range []string{pipe, dir, "/dev/null"} {
		_, err := config.Read(no)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, no)
		_, err = service.ApplyBundle(t.Context(), &config.Settings{State: dir}, no, nil)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, no)
	}
	_, err := config.Read("https://x.example/dnsfilter.yaml")
	assert.ErrorContains(t, err, "is a URL, and a file is needed here")
	assert.ErrorContains(t, config.Default().Override(nil, nil, []string{"https://x.example/hosts"}), "is a URL, and a file is needed here")
}
