package subscribe_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

const nginxConf = `daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	server { listen %[2]s; root %[3]s; }
}
`

// nginx serves a folder with the real nginx, and returns its URL.
func nginx(t *testing.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	address := freeport.Addr(t)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755) // nginx's workers are somebody else
		}
		return err
	}))
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		require.NoError(t, os.Chmod(up, 0o755))
	}
	own := t.TempDir()
	conf := filepath.Join(own, "nginx.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, nginxConf, own, address, dir), 0o600))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, "-p", own, "-c", conf, "-e", "stderr")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + address)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return "http://" + address
}

// Any web server, and any folder, is a mirror if it holds a copy of the files.
func TestMirrors(t *testing.T) {
	t.Parallel()
	c := newChain(t, filler(1000)...)
	for name, where := range map[string]func(*testing.T) string{
		"nginx":  func(t *testing.T) string { t.Helper(); return nginx(t, c.mirror.Dir) },
		"folder": func(t *testing.T) string { t.Helper(); return c.mirror.Dir },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubscriber(t, c.agency, where(t))
			require.NoError(t, s.refresh(t))
			held := s.Status().Serial
			c.delta(fmt.Sprintf("+%s.example.test", name))
			require.NoError(t, s.refresh(t))
			s.enforces(t, held+1)
			_, ok := s.store.LookupHost(name + ".example.test")
			assert.True(t, ok)
			changed, err := s.Refresh(t.Context())
			require.NoError(t, err)
			assert.False(t, changed)
			assert.False(t, s.Status().Stale)
		})
	}
}

// A bucket that its readers may not list answers 403 for what it does not have, such as the root after the newest one.
func TestBucketThatMayNotBeListed(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	st.answer = func(name string, _ *http.Request) *http.Response {
		if b, err := os.ReadFile(st.mirror.Path(name)); err == nil {
			return answerBytes(b)
		}
		return status(http.StatusForbidden)
	}
	st.rotate()
	st.only("timestamp.json", func(*http.Request) *http.Response { return status(http.StatusForbidden) })
	require.ErrorContains(t, st.refresh(t), "timestamp.json: the answer is 403 Forbidden, as from a bucket")
	st.enforces(t, 4)
}
