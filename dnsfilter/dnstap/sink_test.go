package dnstap_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	golang "github.com/dnstap/golang-dnstap"
	framestream "github.com/farsightsec/golang-framestream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/dnstap"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// packet is a query for example.org.
const packet = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"

// asked is when the queries of the tests came.
var asked = time.Date(2026, 10, 1, 12, 0, 0, 42, time.UTC)

// run runs a sink until stop is called.
func run(t *testing.T, c dnstap.Config) (s *dnstap.Sink, stop func()) {
	t.Helper()
	s = dnstap.New(c)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return s, stop
}

func target(t *testing.T, text string) dnstap.Target {
	t.Helper()
	to, err := dnstap.ParseTarget(text)
	require.NoError(t, err)
	assert.Equal(t, text, to.String())
	return to
}

// fill gives a sink one message of each kind.
func fill(s *dnstap.Sink) {
	m := dnsfilter.ClientMessage{
		Transport: dnsfilter.QUIC, Client: netip.MustParseAddrPort("192.0.2.7:4242"), Server: netip.MustParseAddrPort("192.0.2.53:853"),
		Asked: asked, Packet: []byte(packet),
	}
	s.Client(m)
	m.Answered = asked.Add(time.Second)
	m.Decided = dnsfilter.Decided{By: "it.example/csam", Entry: "=example.org", Action: dnsfilter.NXDomain, Trigger: dnsfilter.QName, Matched: []byte("\x07example\x03org\x00")}
	s.Client(m)
	up := upstream.Message{Resolver: netip.MustParseAddrPort("[2001:db8::53]:853"), Stream: true, Encrypted: true, Asked: asked, Packet: []byte(packet)}
	s.Upstream(up)
	up.Answered = asked.Add(time.Second)
	s.Upstream(up)
	m.Decided = dnsfilter.Decided{By: "rpz.example", Zone: true, Entry: "32.1.100.51.198.rpz-ip", Action: dnsfilter.LocalData, Trigger: dnsfilter.AnswerIP}
	s.Client(m)
	m.Decided = dnsfilter.Decided{By: "it.example/csam", Action: dnsfilter.Refused, Trigger: dnsfilter.QName}
	s.Client(m)
}

// read reads the messages of a stream by the library of dnstap.
func read(t *testing.T, from io.Reader, o *framestream.ReaderOptions) (all []*golang.Dnstap) {
	t.Helper()
	r, err := framestream.NewReader(from, o)
	require.NoError(t, err)
	buf := make([]byte, 1<<16)
	for {
		n, err := r.ReadFrame(buf)
		if errors.Is(err, io.EOF) || errors.Is(err, framestream.EOF) {
			return all
		}
		require.NoError(t, err)
		d := new(golang.Dnstap)
		require.NoError(t, proto.Unmarshal(buf[:n], d))
		all = append(all, d)
	}
}

var oneWay = &framestream.ReaderOptions{ContentTypes: [][]byte{[]byte("protobuf:dnstap.Dnstap")}}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.fstrm")
	s, stop := run(t, dnstap.Config{Target: target(t, "file://"+path), Identity: "ns1", Version: "dnsfilter 1"})
	fill(s)
	stop()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	all := read(t, f, oneWay)
	require.Len(t, all, 6)
	m := all[0].GetMessage()
	assert.Equal(t, "ns1", string(all[0].GetIdentity()))
	assert.Equal(t, "dnsfilter 1", string(all[0].GetVersion()))
	assert.Equal(t, golang.Message_CLIENT_QUERY, m.GetType())
	assert.Equal(t, golang.SocketFamily_INET, m.GetSocketFamily())
	assert.EqualValues(t, 7, m.GetSocketProtocol())
	assert.Equal(t, []byte{192, 0, 2, 7}, m.GetQueryAddress())
	assert.EqualValues(t, 4242, m.GetQueryPort())
	assert.Equal(t, []byte{192, 0, 2, 53}, m.GetResponseAddress())
	assert.EqualValues(t, 853, m.GetResponsePort())
	assert.EqualValues(t, asked.Unix(), m.GetQueryTimeSec())
	assert.EqualValues(t, 42, m.GetQueryTimeNsec())
	assert.Equal(t, packet, string(m.GetQueryMessage()))
	assert.Nil(t, m.ResponseTimeSec)
	m = all[1].GetMessage()
	assert.Equal(t, golang.Message_CLIENT_RESPONSE, m.GetType())
	assert.EqualValues(t, asked.Unix()+1, m.GetResponseTimeSec())
	assert.Equal(t, packet, string(m.GetResponseMessage()))
	assert.Equal(t, map[protowire.Number]any{1: "blocklist", 2: "it.example/csam =example.org", 3: uint64(1), 4: uint64(1), 5: "\x07example\x03org\x00"}, policy(t, m))
	m = all[2].GetMessage()
	assert.Equal(t, golang.Message_FORWARDER_QUERY, m.GetType())
	assert.Equal(t, golang.SocketFamily_INET6, m.GetSocketFamily())
	assert.Equal(t, golang.SocketProtocol_DOT, m.GetSocketProtocol())
	assert.Equal(t, golang.Message_FORWARDER_RESPONSE, all[3].GetMessage().GetType())
	assert.Equal(t, map[protowire.Number]any{
		1: "RPZ", 2: "\x0232\x011\x03100\x0251\x03198\x06rpz-ip\x03rpz\x07example\x00", 3: uint64(6), 4: uint64(3),
	}, policy(t, all[4].GetMessage()))
	assert.Equal(t, map[protowire.Number]any{1: "blocklist", 2: "it.example/csam", 4: uint64(1)}, policy(t, all[5].GetMessage()))
	assert.Equal(t, dnstap.Stats{Sent: 6}, s.Stats())
}

// policy returns the fields of a message's policy, which the library does not know.
func policy(t *testing.T, m *golang.Message) map[protowire.Number]any {
	t.Helper()
	b := m.ProtoReflect().GetUnknown()
	number, kind, n := protowire.ConsumeTag(b)
	require.EqualValues(t, 15, number)
	require.Equal(t, protowire.BytesType, kind)
	inner, size := protowire.ConsumeBytes(b[n:])
	require.Len(t, b, n+size)
	out := map[protowire.Number]any{}
	for len(inner) > 0 {
		number, kind, n := protowire.ConsumeTag(inner)
		inner = inner[n:]
		if kind == protowire.VarintType {
			out[number], n = protowire.ConsumeVarint(inner)
		} else {
			var v []byte
			v, n = protowire.ConsumeBytes(inner)
			out[number] = string(v)
		}
		require.Positive(t, n)
		inner = inner[n:]
	}
	return out
}

func TestFileIsMoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.fstrm")
	require.NoError(t, os.WriteFile(path, []byte("of before"), 0o600))
	s, stop := run(t, dnstap.Config{Target: target(t, "file://"+path)})
	fill(s)
	sent := func(n uint64) {
		require.Eventually(t, func() bool { return s.Stats().Sent == n }, 5*time.Second, time.Millisecond)
	}
	sent(6)
	require.NoError(t, os.Rename(path, path+".1"))
	fill(s)
	sent(12)
	require.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, 5*time.Second, time.Millisecond, "the next file")
	fill(s)
	stop()
	for name, n := range map[string]int{path + ".1": 12, path: 6} {
		f, err := os.Open(name)
		require.NoError(t, err)
		assert.Len(t, read(t, f, oneWay), n, name)
		require.NoError(t, f.Close())
	}
	old, err := filepath.Glob(path + ".2*")
	require.NoError(t, err)
	require.Len(t, old, 1)
	text, err := os.ReadFile(old[0])
	require.NoError(t, err)
	assert.Equal(t, "of before", string(text))
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	s, stop := run(t, dnstap.Config{Target: target(t, "unix://"+path)})
	both := &framestream.ReaderOptions{ContentTypes: oneWay.ContentTypes, Bidirectional: true}
	conn, err := l.Accept()
	require.NoError(t, err)
	_, err = framestream.NewReader(conn, both)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { fill(s); return s.Stats().Dropped > 0 }, time.Minute, 10*time.Millisecond)
	conn, err = l.Accept()
	require.NoError(t, err)
	before := s.Stats().Sent
	go func() {
		fill(s)
		assert.Eventually(t, func() bool { return s.Stats().Sent >= before+6 }, 5*time.Second, time.Millisecond)
		stop()
	}()
	assert.GreaterOrEqual(t, len(read(t, conn, both)), 6)
	require.NoError(t, conn.Close())
	require.NoError(t, l.Close())
}

func TestNoCollector(t *testing.T) { //nolint:paralleltest // it counts allocations
	s, stop := run(t, dnstap.Config{Target: target(t, "unix://"+filepath.Join(t.TempDir(), "s"))})
	m := dnsfilter.ClientMessage{Client: netip.MustParseAddrPort("[2001:db8::1]:53"), Packet: make([]byte, 1232)}
	for range 5000 {
		s.Client(m)
	}
	assert.Positive(t, s.Stats().Dropped, "the backlog is bounded")
	assert.False(t, s.Stats().Connected)
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.Client(m) }))
	stop()
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "unix://", "unix://s", "file:///", "file://a/b", "tcp://192.0.2.1", "tcp://:6000", "tcp://192.0.2.1:0", "udp://192.0.2.1:6000", "/run/s"} {
		_, err := dnstap.ParseTarget(bad)
		assert.Error(t, err, bad)
	}
	target(t, "tcp://[2001:db8::1]:6000")
}

func TestReaders(t *testing.T) {
	t.Parallel()
	reader, err := exec.LookPath("dnstap-read")
	if err != nil {
		t.Skip("dnstap-read is not installed (Debian: bind9-dnsutils)")
	}
	path := filepath.Join(t.TempDir(), "a.fstrm")
	s, stop := run(t, dnstap.Config{Target: target(t, "file://"+path), Identity: "ns1"})
	fill(s)
	stop()
	out, err := exec.CommandContext(t.Context(), reader, path).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `CQ 192.0.2.7:4242 -> 192.0.2.53:853 \S+ 29b example.org/IN/A`, string(out))
	assert.Regexp(t, `FR \S+ <- 2001:db8::53:853 `, string(out))
}

// A collector that does not answer at the end delays it by a second.
func TestHungCollector(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	s, stop := run(t, dnstap.Config{Target: target(t, "unix://"+path)})
	conn, err := l.Accept()
	require.NoError(t, err)
	_, err = framestream.NewReader(conn, &framestream.ReaderOptions{ContentTypes: oneWay.ContentTypes, Bidirectional: true})
	require.NoError(t, err)
	fill(s)
	require.Eventually(t, func() bool { return s.Stats().Sent == 6 }, 5*time.Second, time.Millisecond)
	begun := time.Now()
	stop()
	assert.Less(t, time.Since(begun), 3*time.Second)
	require.NoError(t, conn.Close())
	require.NoError(t, l.Close())
}
