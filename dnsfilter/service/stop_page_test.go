package service_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/freeport"
)

// visit asks the stop page for a host.
func visit(t *testing.T, addr, host string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
	require.NoError(t, err)
	r.Host = host
	r.Header.Set("Accept-Language", "it")
	r.Close = true
	reply, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply.StatusCode, string(text)
}

// The page follows lists, settings and templates while the server runs, and what it counts has no names.
func TestStopPage(t *testing.T) {
	t.Parallel()
	addr, metricsAt := freeport.Addr(t), freeport.Addr(t)
	head := "metrics: " + metricsAt + "\nstop_page: {listen: [http://" + addr + "], templates: pages}\n"
	list := func(authority string) string {
		return "lists:\n  - {name: it.example/l, file: local.txt, action: sinkhole, sinkhole: [192.0.2.80], ede: censored, notice: {authority: " + authority + "}}\n"
	}
	r := newFolder(t, head+list("First"))
	r.write(t, "local.txt", "0000351_2026.30.08\nlisted.test\n")
	require.NoError(t, os.Mkdir(filepath.Join(r.dir, "pages"), 0o700))
	r.start(t)

	status, body := visit(t, addr, "www.listed.test")
	assert.Equal(t, http.StatusUnavailableForLegalReasons, status)
	assert.Contains(t, body, "First ha ordinato")
	assert.Contains(t, body, "0000351_2026.30.08", "the header of an order is the reference")
	status, _ = visit(t, addr, "other.test")
	assert.Equal(t, http.StatusMisdirectedRequest, status)

	control := service.NewControl(filepath.Join(r.dir, "state"))
	s, err := control.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]map[string]uint64{"it.example/l": {"it": 1}, "": {"it": 1}}, s.StopPage.Requests)
	_, text := get(t, "http://"+metricsAt+"/metrics")
	assert.Contains(t, text, `dnsfilter_stop_page_requests_total{language="it",list="it.example/l"} 1`)
	assert.NotContains(t, text, "listed.test")

	r.write(t, "pages/it.html", `{{define "title"}}t{{end}}{{define "blocked"}}OWN {{.Authority}}{{end}}{{define "unknown"}}u{{end}}`)
	r.settings(t, head+list("Second"))
	r.reload <- struct{}{}
	assert.Eventually(t, func() bool {
		_, body := visit(t, addr, "listed.test")
		return strings.Contains(body, "OWN Second")
	}, time.Minute, 20*time.Millisecond)

	r.write(t, "pages/it.html", `{{define "blocked"}}{{.Nothing}}{{end}}`)
	_, err = control.Reload(t.Context())
	require.Error(t, err, "a template that can't be executed changes nothing")
	_, body = visit(t, addr, "listed.test")
	assert.Contains(t, body, "OWN Second")

	r.write(t, "local.txt", "else.test\n")
	assert.Eventually(t, func() bool {
		status, _ := visit(t, addr, "listed.test")
		return status == http.StatusMisdirectedRequest
	}, time.Minute, 20*time.Millisecond)
}
