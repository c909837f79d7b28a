package service_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/freeport"
)

// metrics returns what a server tells Prometheus.
func metrics(t *testing.T, s *dnsfilter.Server, store *blocklist.Store) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(service.NewCollector(s, store)))
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"it.example/l": "listed.test\ndropped.test", "watch": "www.watched.test"})
	s := dnstest.NewServer(t, dnsfilter.Config{
		Store: store,
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{
			{List: "it.example/l", Action: dnsfilter.NXDomain}, {List: "watch", Action: dnsfilter.Monitor},
		}},
	})
	addr, stop := dnstest.Serve(t, s)
	for _, network := range []string{"udp", "tcp"} {
		for range 2 { // the second is answered from the cache
			dnstest.Exchange(t, network, addr, dnstest.Question("example.org.", dns.TypeA))
		}
		dnstest.Exchange(t, network, addr, dnstest.Question("a.listed.test.", dns.TypeAAAA))
		dnstest.Exchange(t, network, addr, dnstest.Question("www.watched.test.", dns.TypeTXT))
		dnstest.Exchange(t, network, addr, dnstest.Question("example.org.", dns.TypeAXFR))
		dnstest.Exchange(t, network, addr, dnstest.Question("listed.test.", 65280))
		unknown := dnstest.Question("listed.test.", dns.TypeMX).SetEdns0(1232, false)
		unknown.IsEdns0().SetVersion(1)
		dnstest.Exchange(t, network, addr, unknown)
		dnstest.Exchange(t, network, addr, withCookie(new(dns.Msg), strings.Repeat("00", 24)))
	}
	require.NoError(t, stop())
	got := metrics(t, s, store)
	for _, line := range []string{
		`dnsfilter_queries_total 16`,
		`dnsfilter_cache_hits_total 4`,
		`dnsfilter_answers_total{rcode="NOERROR",transport="udp",type="A"} 2`,
		`dnsfilter_answers_total{rcode="NOERROR",transport="tcp",type="A"} 2`,
		`dnsfilter_answers_total{rcode="NXDOMAIN",transport="udp",type="AAAA"} 1`,
		`dnsfilter_answers_total{rcode="NXDOMAIN",transport="tcp",type="other"} 1`,
		`dnsfilter_answers_total{rcode="REFUSED",transport="udp",type="other"} 1`,
		`dnsfilter_answers_total{rcode="BADVERS",transport="udp",type="MX"} 1`,
		`dnsfilter_answers_total{rcode="BADCOOKIE",transport="tcp",type="other"} 1`,
		`dnsfilter_decisions_total{action="nxdomain",list="it.example/l"} 4`,
		`dnsfilter_decisions_total{action="monitor",list="watch"} 2`,
		`dnsfilter_upstream_duration_seconds_count 2`,
		`dnsfilter_list_entries{list="it.example/l"} 2`,
		`dnsfilter_list_serial{list="watch"} 0`,
		`dnsfilter_list_enforced{list="watch"} 1`,
	} {
		assert.Contains(t, got, line+"\n")
	}
	for _, secret := range []string{"listed.test", "example.org", "watched", "127.0.0.1"} {
		assert.NotContains(t, got, secret)
	}
}

// get returns what the service says over HTTP.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	at := freeport.Addr(t)
	base := "http://" + at

	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	defer web.Close()
	head := fmt.Sprintf("metrics: %s\n", strings.TrimPrefix(base, "http://"))
	signed := fmt.Sprintf("  - {name: it.example/test, root: %s, from: ['%s']}\n", a.root(), web.URL)
	r := newFolder(t, head+"lists:\n  - {name: local, file: local.txt}\n"+signed)
	r.write(t, "local.txt", "a.test\n")
	r.start(t)

	code, text := get(t, base+"/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "not ready\nlist it.example/test: not enforced: nothing is held of it\n", strings.TrimSuffix(text, "\n"))
	code, text = get(t, base+"/healthz")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, text, "ok\nlist it.example/test: not enforced")
	_, text = get(t, base+"/metrics")
	assert.Contains(t, text, `dnsfilter_list_stale{list="it.example/test"} 1`)

	a.publish(t, "bad.test")
	require.NoError(t, r.stop())
	r.log = &logtest.Buffer{}
	r.start(t) // it fetches at once
	require.Eventually(t, func() bool { code, text := get(t, base+"/readyz"); return code == http.StatusOK && text == "ready\n" },
		time.Minute, 20*time.Millisecond) // a moment after it is enforced it is fresh, too
	_, text = get(t, base+"/metrics")
	assert.Contains(t, text, `dnsfilter_list_stale{list="it.example/test"} 0`)
	if runtime.GOOS == "linux" {
		assert.Contains(t, text, "dnsfilter_udp_kernel_dropped_total 0\n")
	}
	assert.Contains(t, text, `dnsfilter_list_serial{list="it.example/test"} 1`)
	assert.Contains(t, text, `dnsfilter_list_entries{list="local"} 1`)

	assert.Contains(t, text, `dnsfilter_list_stale{list="local"} 0`)
	assert.Contains(t, text, `dnsfilter_list_created_timestamp_seconds{list="local"} `)

	control := service.NewControl(filepath.Join(r.dir, "state"))
	for _, c := range []struct {
		file  string
		stale bool
	}{{"<html><body>sorry</body></html>\n", true}, {"a.test\nb.test\n", false}} {
		r.write(t, "local.txt", c.file)
		require.Eventually(t, func() bool { s, err := control.Status(t.Context()); return err == nil && s.Lists[0].Stale == c.stale },
			time.Minute, 20*time.Millisecond)
		s, err := control.Status(t.Context())
		require.NoError(t, err)
		assert.Equal(t, c.stale, strings.Contains(s.Lists[0].Error, "an HTML or XML page"), s.Lists[0])
		code, text = get(t, base+"/readyz")
		assert.Equal(t, http.StatusOK, code, "it is enforced")
		assert.Equal(t, c.stale, strings.Contains(text, "list local: stale"), text)
		_, text = get(t, base+"/metrics")
		assert.Equal(t, c.stale, strings.Contains(text, `dnsfilter_list_stale{list="local"} 1`), text)
	}

	r.settings(t, "")
	r.reload <- struct{}{}
	r.reload <- struct{}{} // the first one is done
	assert.Contains(t, r.log.String(), "change with a restart only")
	_, text = get(t, base+"/metrics")
	assert.NotContains(t, text, "dnsfilter_list_stale")
}

// TestTwoServersInOneRegistry: a label tells them apart.
func TestTwoServersInOneRegistry(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for _, name := range []string{"a", "b"} {
		store := dnstest.NewStore(t, map[string]string{"l": "listed.test"})
		s := dnstest.NewServer(t, dnsfilter.Config{Store: store})
		require.NoError(t, prometheus.WrapRegistererWith(prometheus.Labels{"server": name}, registry).Register(service.NewCollector(s, store)))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	assert.NotEmpty(t, families)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			assert.Contains(t, fmt.Sprint(m.GetLabel()), "server", f.GetName())
		}
	}
}
