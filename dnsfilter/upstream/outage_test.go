package upstream_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// hurry is how fast time passes for forwarders whose resolvers are silent.
const hurry = 10

func watch(f *upstream.Forwarder) *logtest.Buffer {
	l := new(logtest.Buffer)
	f.Watch(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn})))
	return l
}

// TestOutageIsToldOnce has a resolver go away and come back, with many questions under way.
func TestOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		if !off.Load() {
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
		}
	}))
	now := f.Hurry(t, hurry)
	log := watch(f)
	requireAnswer(t, f, "192.0.2.1")
	off.Store(true)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _ = ask(t, f) })
	}
	log.Await(t, "upstream down")
	_, down := f.Down()
	assert.True(t, down)
	assert.False(t, status(f).Up)
	assert.Equal(t, "it does not answer", status(f).Reason)
	wg.Wait()
	begin := now()
	_, err := ask(t, f)
	require.Error(t, err)
	assert.Less(t, now().Sub(begin), 3*time.Second, "no one waits for what is known to be down")
	off.Store(false)
	require.Eventually(t, func() bool { f.Probe(); return status(f).Up }, time.Minute, 10*time.Millisecond, "without a question")
	_, down = f.Down()
	assert.False(t, down)
	log.Await(t, "upstream up again")
	assert.Equal(t, 2, strings.Count(log.String(), "\n"), log)
	assert.Equal(t, 2, strings.Count(log.String(), "upstream="+status(f).Resolver))
}

// TestSilenceAboutANameIsNoOutage has a resolver that is silent about one name only.
func TestSilenceAboutANameIsNoOutage(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		if !strings.EqualFold(q.Question[0].Name, "example.org.") {
			_ = w.WriteMsg(reply(q, dns.RcodeRefused, ""))
		}
	}))
	f.Hurry(t, hurry)
	log := watch(f)
	_, err := ask(t, f)
	require.Error(t, err)
	assert.True(t, status(f).Up)
	assert.Empty(t, log.String())
}

func TestReasonsOfAnOutage(t *testing.T) {
	t.Parallel()
	refuse := func(*dns.Conn, []byte) bool { return false }
	_, other := newTLS(t, refuse)
	other.Name = "other.example"
	_, unknown := newTLS(t, refuse)
	unknown.Roots = nil
	_, closing := newTLS(t, refuse)
	certificate, roots := newCertificateAt(t, "dns.example", time.Now().Add(24*time.Hour))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	require.NoError(t, err)
	early := upstream.Endpoint{Addr: newStreamed(t, l, refuse).addr, Name: "dns.example", Roots: roots}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	noOne := upstream.Endpoint{Addr: netip.MustParseAddrPort(free.Addr().String()), Name: "dns.example"}
	require.NoError(t, free.Close())
	for want, at := range map[string]upstream.Endpoint{
		"certificate is for another name": other, "SSL_CERT_FILE": unknown, "is the clock right?": early, "connection refused": noOne,
		"the resolver closed the connection": closing,
	} {
		f, err := upstream.New(at)
		require.NoError(t, err)
		log := watch(f)
		f.Probe()
		log.Await(t, want)
		assert.Contains(t, status(f).Reason, want)
	}
	closed := upstream.Endpoint{Addr: noOne.Addr}
	f, err := upstream.New(closed)
	require.NoError(t, err)
	f.Hurry(t, hurry)
	log := watch(f)
	_, err = ask(t, f)
	require.Error(t, err)
	log.Await(t, "connection refused")
}
