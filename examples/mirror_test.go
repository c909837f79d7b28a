package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// mirrored is an agency with a mirror of its list.
type mirrored struct {
	agency      *peers.Agency
	blocklist   string
	dir, copied string
}

func newMirror(t *testing.T) *mirrored {
	t.Helper()
	m := &mirrored{blocklist: peers.Build(t, "blocklist"), dir: folder(t)}
	m.copied = filepath.Join(m.dir, "copy")
	m.agency = peers.NewAgency(t, m.blocklist, "it.example/csam")
	m.agency.Publish("one.example")
	m.update(t)
	return m
}

func (m *mirrored) update(t *testing.T) {
	t.Helper()
	peers.Run(t, m.dir, m.blocklist, "mirror", "--root", m.agency.Root, m.agency.URL, m.copied)
}

// pulled returns the entries that a subscriber gets at a place.
func (m *mirrored) pulled(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	peers.Run(t, to, m.blocklist, "pull", "--root", m.agency.Root, from, "-o", to)
	b, err := os.ReadFile(filepath.Join(to, "entries.txt"))
	require.NoError(t, err)
	return string(b)
}

func TestMirrorWithNginx(t *testing.T) {
	t.Parallel()
	peers.Need(t, "nginx")
	m := newMirror(t)
	addr := freeport.Addr(t)
	server := peers.Exchanged(t, "mirror/nginx.conf", "127.0.0.1:8080", addr, "/var/lib/blocklist-mirror", m.copied)
	conf := peers.Write(t, m.dir, "nginx.conf", fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr; events {} http { access_log off;"+
		"client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;\n%[2]s}\n",
		m.dir, server))
	peers.Start(t, m.dir, "nginx", "-p", m.dir, "-c", conf, "-e", "stderr")
	url := "http://" + addr
	get := func(path string) (int, http.Header) {
		resp, err := http.Get(url + path)
		if err != nil {
			return 0, nil
		}
		_, err = io.Copy(io.Discard, resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header
	}
	require.Eventually(t, func() bool { code, _ := get("/"); return code == http.StatusNotFound }, time.Minute, 20*time.Millisecond)
	assert.Equal(t, "one.example\n", m.pulled(t, url))
	m.agency.Publish("two.example")
	m.update(t)
	assert.Equal(t, "one.example\ntwo.example\n", m.pulled(t, url))

	for path, caching := range map[string]string{"timestamp.json": "no-cache", "1.root.json": "public, max-age=31536000, immutable"} {
		code, header := get("/lists/it.example/csam/" + path)
		assert.Equal(t, http.StatusOK, code, path)
		assert.Equal(t, caching, header.Get("Cache-Control"), path)
	}
	code, _ := get("/lists/it.example/csam/.lock")
	assert.Equal(t, http.StatusNotFound, code)
}

// TestMirrorToBucket copies a mirror on to a server that is no file system, with WebDAV in place of S3.
func TestMirrorToBucket(t *testing.T) {
	t.Parallel()
	peers.Need(t, "rclone")
	m := newMirror(t)
	addr, bucket := freeport.Addr(t), t.TempDir()
	conf := peers.Write(t, m.dir, "rclone.conf", "[bucket]\ntype = webdav\nurl = http://"+addr+"\nvendor = other\n")
	peers.Start(t, m.dir, "rclone", "serve", "webdav", "--addr", addr, "--config", conf, bucket)
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + addr)
		return err == nil && resp.Body.Close() == nil
	}, time.Minute, 20*time.Millisecond)
	script, err := filepath.Abs("mirror/to-bucket.sh")
	require.NoError(t, err)
	for _, want := range []string{"one.example\n", "one.example\ntwo.example\n"} {
		if want != "one.example\n" {
			m.agency.Publish("two.example")
			m.update(t)
		}
		peers.Run(t, m.dir, "env", "RCLONE_CONFIG="+conf, script, m.copied, "bucket:")
		assert.Equal(t, want, m.pulled(t, bucket))
	}
	left, err := filepath.Glob(filepath.Join(bucket, "lists/it.example/csam/.*"))
	require.NoError(t, err)
	assert.Empty(t, left, "neither lock nor unfinished files")

	old := "lists/it.example/csam/1.targets.json"
	require.NoError(t, os.Remove(filepath.Join(m.copied, old)))
	peers.Run(t, m.dir, "env", "RCLONE_CONFIG="+conf, script, m.copied, "bucket:")
	assert.NoFileExists(t, filepath.Join(bucket, old), "what the mirror has removed")
}

// TestUnits rates the sandboxes of the units: 0 is the best, 100 the worst.
func TestUnits(t *testing.T) {
	t.Parallel()
	peers.Need(t, "systemd-analyze")
	peers.Run(t, ".", "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", "mirror/blocklist-mirror.service",
		"squid/blocklist-follow.service", "squid/blocklist-icap.service", "desk/blocklist-desk.service", "desk/blocklist-origin.service")
}
