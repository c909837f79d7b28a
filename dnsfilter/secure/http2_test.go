package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// frames is a client that writes frames.
type frames struct {
	*http2.Framer

	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (r *resolver) frames(t testing.TB, settings ...http2.Setting) *frames {
	t.Helper()
	conn, err := tls.Dial("tcp", r.https, r.config("h2"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(timeLimit)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	f := &frames{Framer: http2.NewFramer(conn, conn), conn: conn}
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.enc = hpack.NewEncoder(&f.block)
	require.NoError(t, f.WriteSettings(settings...))
	return f
}

// header writes a header; the fields are names and values by turns.
func (f *frames) header(t testing.TB, id uint32, end bool, fields ...string) {
	t.Helper()
	f.block.Reset()
	for pair := range slices.Chunk(fields, 2) {
		require.NoError(t, f.enc.WriteField(hpack.HeaderField{Name: pair[0], Value: pair[1]}))
	}
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: end}))
}

var post = []string{":method", "POST", ":scheme", "https", ":path", "/dns-query", "content-type", "application/dns-message"}

// next returns the next frame that is not one of the settings.
func (f *frames) next(t testing.TB) http2.Frame {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		if _, ok := frame.(*http2.SettingsFrame); !ok {
			return frame
		}
	}
}

// data reads the header of an answer and n bytes of it.
func (f *frames) data(t testing.TB, id uint32, n int) (data []byte, all bool) {
	t.Helper()
	for len(data) < n {
		frame := f.next(t)
		assert.Equal(t, id, frame.Header().StreamID)
		if d, ok := frame.(*http2.DataFrame); ok {
			data = append(data, d.Data()...)
			all = d.StreamEnded()
		}
	}
	return data, all
}

// TestWindows sends no more than the client lets it, on the stream, and goes on when it may.
func TestWindows(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	packed := pack(t, dnstest.Question("www.example.org.", dns.TypeTXT))
	f := r.frames(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	f.header(t, 1, false, post...)
	require.NoError(t, f.WriteData(1, false, packed[:5]))
	require.NoError(t, f.WriteData(1, true, packed[5:]))
	got, all := f.data(t, 1, 10)
	assert.False(t, all)
	require.NoError(t, f.WriteWindowUpdate(1, 5))
	more, all := f.data(t, 1, 5)
	assert.False(t, all)
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000}))
	rest, all := f.data(t, 1, 6)
	assert.True(t, all)
	assert.Len(t, unpack(t, slices.Concat(got, more, rest)).Answer, 1)
}

// TestManyRequests sends more on one connection than the windows hold.
func TestManyRequests(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	c, packed := r.client(t, true), pack(t, dnstest.Question("www.example.org.", dns.TypeTXT))
	for range 400 {
		require.Len(t, r.post(t, c, packed).Answer, 1)
	}
	assert.EqualValues(t, 1, r.engine.Stats().Encrypted.Accepted)
}

// slowly answers after a while.
type slowly struct{ dnsfilter.Upstream }

func (s slowly) Exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	if strings.HasPrefix(m.Question[0].Name, "slow") {
		time.Sleep(700 * time.Millisecond)
	}
	return s.Upstream.Exchange(ctx, m)
}

// TestWaitingRequests lets what waits for the upstream be overtaken, and not be disturbed by frames that come meanwhile.
// There are 100 of them at most.
func TestWaitingRequests(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	require.Len(t, exchange(t, r.dialTLS(t, r.config()), dnstest.Question("example.org.", dns.TypeA)).Answer, 1, "it is in the cache now")
	f := r.frames(t)
	slow, fast := pack(t, dnstest.Question("slow.test.", dns.TypeA)), pack(t, dnstest.Question("example.org.", dns.TypeA))
	for i := range uint32(100) {
		f.header(t, 2*i+1, false, post...)
		require.NoError(t, f.WriteData(2*i+1, true, slow))
	}
	f.header(t, 201, false, post...)
	refused, ok := f.next(t).(*http2.RSTStreamFrame)
	require.True(t, ok)
	assert.EqualValues(t, 201, refused.StreamID)
	assert.Equal(t, http2.ErrCodeRefusedStream, refused.ErrCode)
	require.NoError(t, f.WriteWindowUpdate(0, 100))
	require.NoError(t, f.WriteRSTStream(1, http2.ErrCodeCancel))
	f.header(t, 203, false, post...)
	require.NoError(t, f.WriteData(203, true, fast))
	got, all := f.data(t, 203, 45)
	assert.True(t, all)
	assert.Len(t, unpack(t, got).Answer, 1)
	done := map[uint32]bool{}
	for len(done) < 99 {
		if d, ok := f.next(t).(*http2.DataFrame); ok {
			assert.Equal(t, "slow.test.", unpack(t, d.Data()).Question[0].Name)
			done[d.StreamID] = true
		}
	}
	assert.NotContains(t, done, uint32(1), "it was cancelled")
}

// TestBadFrames gets the errors of HTTP/2 (RFC 9113).
func TestBadFrames(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	with := func(fields ...string) []string { return append(slices.Clone(post), fields...) }
	for name, test := range map[string]struct {
		do   func(f *frames)
		conn bool // the connection ends
		code http2.ErrCode
	}{
		"an even stream":        {func(f *frames) { f.header(t, 2, true, post...) }, true, http2.ErrCodeProtocol},
		"a used stream":         {func(f *frames) { f.header(t, 3, true, post...); f.header(t, 1, true, post...) }, true, http2.ErrCodeStreamClosed},
		"data before a header":  {func(f *frames) { _ = f.WriteData(1, true, nil) }, true, http2.ErrCodeProtocol},
		"reset before a header": {func(f *frames) { _ = f.WriteRSTStream(1, 0) }, true, http2.ErrCodeProtocol},
		"a window before":       {func(f *frames) { _ = f.WriteWindowUpdate(1, 1) }, true, http2.ErrCodeProtocol},
		"too wide a window":     {func(f *frames) { _ = f.WriteWindowUpdate(0, 1<<31-1) }, true, http2.ErrCodeFlowControl},
		"a push": {func(f *frames) {
			_ = f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
		}, true, http2.ErrCodeProtocol},
		"a long frame":  {func(f *frames) { _ = f.WriteData(1, true, make([]byte, 1<<14+1)) }, true, http2.ErrCodeFrameSize},
		"a bad setting": {func(f *frames) { _ = f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2}) }, true, http2.ErrCodeProtocol},
		"bad compression": {func(f *frames) {
			_ = f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		}, true, http2.ErrCodeCompression},
		"no path":             {func(f *frames) { f.header(t, 1, true, ":method", "GET", ":scheme", "https") }, false, http2.ErrCodeProtocol},
		"another length":      {func(f *frames) { f.header(t, 1, true, with("content-length", "3")...) }, false, http2.ErrCodeProtocol},
		"a bad length":        {func(f *frames) { f.header(t, 1, true, with("content-length", "-3")...) }, false, http2.ErrCodeProtocol},
		"a connection header": {func(f *frames) { f.header(t, 1, true, with("connection", "close")...) }, false, http2.ErrCodeProtocol},
		"upper case":          {func(f *frames) { f.header(t, 1, true, with("Accept", "x")...) }, false, http2.ErrCodeProtocol},
		"open trailers":       {func(f *frames) { f.header(t, 1, false, post...); f.header(t, 1, false, "x", "y") }, false, http2.ErrCodeProtocol},
		"no answer": {func(f *frames) {
			f.header(t, 1, false, post...)
			_ = f.WriteData(1, true, pack(t, dnstest.Question("drop.test.", dns.TypeA)))
		}, false, http2.ErrCodeInternal},
	} {
		f := r.frames(t)
		test.do(f)
		for {
			frame, err := f.ReadFrame()
			if !assert.NoError(t, err, name) {
				break
			}
			if away, ok := frame.(*http2.GoAwayFrame); ok {
				assert.True(t, test.conn, name)
				assert.Equal(t, test.code, away.ErrCode, name)
				break
			}
			if reset, ok := frame.(*http2.RSTStreamFrame); ok {
				assert.False(t, test.conn, name)
				assert.Equal(t, test.code, reset.ErrCode, name)
				require.NoError(t, f.WritePing(false, [8]byte{1}))
				_, ok := f.next(t).(*http2.PingFrame)
				assert.True(t, ok, "the connection goes on")
				break
			}
		}
	}
}

// TestLongHeaders refuses a header that is too long, and cuts off one that does not end.
func TestLongHeaders(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	f := r.frames(t)
	long := slices.Clone(post)
	for range 100 {
		long = append(long, "x", strings.Repeat("y", 100))
	}
	f.header(t, 1, true, long...)
	for {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			assert.Equal(t, "431", h.PseudoValue("status"))
			break
		}
	}
	require.NoError(t, f.WriteRawFrame(http2.FrameHeaders, 0, 3, nil))
	for range 1000 {
		if f.WriteContinuation(3, false, bytes.Repeat([]byte{0x82}, 1<<14)) != nil {
			break
		}
	}
	var err error
	for err == nil {
		_, err = f.ReadFrame()
	}
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it was cut off")
}
