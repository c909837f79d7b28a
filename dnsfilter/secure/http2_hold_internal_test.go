package secure

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/argine-dns/argine/dnsfilter"
)

// TestSlowRequest cuts a request off after 10 seconds, while others on its connection are answered.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		engine, err := dnsfilter.New(dnsfilter.Config{Upstream: zone(t)})
		require.NoError(t, err)
		ours, theirs := net.Pipe()
		client := engine.Admit(ours, netip.MustParseAddr("127.0.0.1"), dnsfilter.HTTPS)
		require.NotNil(t, client)
		var limit unfinished
		var open sync.WaitGroup
		open.Go(func() { newHTTP2(ours, client, &limit).run(t.Context(), &open) })
		f, block, begin := http2.NewFramer(theirs, theirs), &writer{}, time.Now()
		enc, ended := hpack.NewEncoder(block), map[uint32]time.Duration{}
		go func() {
			_, _ = io.WriteString(theirs, http2.ClientPreface)
			_ = f.WriteSettings()
			for id := uint32(1); id <= 13; id += 2 {
				*block = nil
				for _, field := range postFields {
					_ = enc.WriteField(field)
				}
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: *block, EndHeaders: true})
				if id > 1 && id < 13 {
					_ = f.WriteData(id, true, question)
				}
				time.Sleep(3 * time.Second)
			}
			_ = theirs.Close()
		}()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				break
			}
			switch frame := frame.(type) {
			case *http2.RSTStreamFrame:
				assert.Equal(t, http2.ErrCodeEnhanceYourCalm, frame.ErrCode)
				ended[frame.StreamID] = time.Since(begin)
			case *http2.DataFrame:
				ended[frame.StreamID] = time.Since(begin)
			}
		}
		open.Wait()
		assert.Equal(t, map[uint32]time.Duration{
			1: 10 * time.Second, 3: 3 * time.Second, 5: 6 * time.Second, 7: 9 * time.Second, 9: 12 * time.Second, 11: 15 * time.Second,
		}, ended)
		assert.Zero(t, limit.oldest.Len(), "the last one has ended with its connection")
	})
}
