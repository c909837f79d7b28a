package secure

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

var question = []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01")

// postFields is the header of a request by POST.
var postFields = []hpack.HeaderField{
	{Name: ":method", Value: "POST"},
	{Name: ":scheme", Value: "https"},
	{Name: ":path", Value: "/dns-query"},
	{Name: "content-type", Value: mediaType},
}

// zone returns an upstream.
func zone(t testing.TB) dnsfilter.Upstream {
	t.Helper()
	zone, err := upstream.NewZone("example.org. 300 SOA ns. h. 1 2 3 4 5\nexample.org. 300 A 192.0.2.1\n")
	require.NoError(t, err)
	return zone
}

// sample returns a request by POST, and some other frames.
func sample(t testing.TB) []byte {
	t.Helper()
	var out, block writer
	f, enc := http2.NewFramer(&out, nil), hpack.NewEncoder(&block)
	for _, field := range postFields {
		require.NoError(t, enc.WriteField(field))
	}
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5}))
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}))
	require.NoError(t, f.WriteData(1, true, question))
	require.NoError(t, f.WriteWindowUpdate(1, 10))
	require.NoError(t, f.WriteRSTStream(1, http2.ErrCodeCancel))
	require.NoError(t, f.WritePing(false, [8]byte{}))
	return out
}

type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

// FuzzHTTP2 sends any bytes. The connection ends soon after them, and what the server sends are frames.
func FuzzHTTP2(f *testing.F) {
	good := sample(f)
	f.Add(good)
	f.Add(good[:len(good)-20])
	engine, err := dnsfilter.New(dnsfilter.Config{Upstream: zone(f)})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs := net.Pipe()
		client := engine.Admit(ours, netip.MustParseAddr("127.0.0.1"), dnsfilter.HTTPS)
		require.NotNil(t, client)
		done := make(chan struct{})
		var open sync.WaitGroup
		open.Go(func() { newHTTP2(ours, client, &unfinished{}).run(t.Context(), &open) })
		go func() { open.Wait(); close(done) }()
		go func() {
			_, _ = theirs.Write(append([]byte(http2.ClientPreface), sent...)) // it may have ended already
			time.Sleep(time.Millisecond)
			_ = theirs.Close()
		}()
		in := http2.NewFramer(io.Discard, theirs)
		_, err := in.ReadFrame()
		for err == nil {
			_, err = in.ReadFrame()
		}
		var ofConn http2.ConnectionError
		require.NotErrorAs(t, err, &ofConn)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("the connection has not ended")
		}
	})
}
