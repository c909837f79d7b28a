package secure_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// idle is longer than a connection keeps its goroutine and its buffers.
const idle = 1200 * time.Millisecond

// An idle connection goes on with what comes, be it a part of a message, and ends with the server.
func TestIdle(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	asked := pack(t, dnstest.Question("example.org.", dns.TypeA))
	stream := r.dialTLS(t, r.config("dot"))
	f := r.frames(t)
	ask := func(id uint32) {
		assert.Len(t, exchange(t, stream, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
		f.header(t, id, false, post...)
		require.NoError(t, f.WriteData(id, true, asked))
		got, _ := f.data(t, id, len(asked)+16)
		assert.Len(t, unpack(t, got).Answer, 1)
	}
	ask(1)
	time.Sleep(idle)
	message := framed(t, dnstest.Question("example.org.", dns.TypeA))
	for _, part := range [][]byte{message[:1], message[1:]} {
		_, err := stream.Conn.Write(part)
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond) // so that the parts arrive alone
	}
	m, err := stream.ReadMsg()
	require.NoError(t, err)
	assert.Len(t, m.Answer, 1)
	ask(3)
	time.Sleep(idle)

	require.NoError(t, r.stop())
	away, ok := f.next(t).(*http2.GoAwayFrame)
	require.True(t, ok)
	assert.Equal(t, http2.ErrCodeNo, away.ErrCode)
	_, err = stream.ReadMsg()
	assert.Error(t, err)
}
