package secure_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// outcomes counts how requests that were begun end.
type outcomes struct{ cut, answered, other atomic.Int64 }

// count counts the end of a request. The argument is the error that the client sees.
func (o *outcomes) count(err error) {
	var overQUIC *quic.StreamError
	var overHTTP3 *http3.Error
	var overHTTP2 http2.StreamError
	switch {
	case err == nil:
		o.answered.Add(1)
	case errors.As(err, &overHTTP3) && overHTTP3.ErrorCode == http3.ErrCodeExcessiveLoad,
		errors.As(err, &overQUIC) && overQUIC.ErrorCode == 4,
		errors.As(err, &overHTTP2) && overHTTP2.Code == http2.ErrCodeEnhanceYourCalm:
		o.cut.Add(1)
	default:
		o.other.Add(1)
	}
}

// A beginner begins requests on a connection, and returns a function that completes the last one.
type beginner func(t *testing.T) (complete func())

func beginOverQUIC(t *testing.T, r *resolver, o *outcomes) beginner {
	t.Helper()
	conn, whole := r.dialQUIC(t), query(t, "example.org.")
	return func(t *testing.T) func() {
		t.Helper()
		stream, err := conn.OpenStreamSync(t.Context())
		require.NoError(t, err)
		_, err = stream.Write(whole[:20])
		require.NoError(t, err)
		go func() {
			_, err := stream.Read(make([]byte, 1))
			o.count(err)
		}()
		return func() {
			_, err := stream.Write(whole[20:])
			assert.NoError(t, err)
			assert.NoError(t, stream.Close())
		}
	}
}

func beginOverHTTP3(t *testing.T, r *resolver, o *outcomes) beginner {
	t.Helper()
	transport := &http3.Transport{TLSClientConfig: r.config()}
	t.Cleanup(func() { _ = transport.Close() })
	packed := pack(t, dnstest.Question("example.org.", dns.TypeA))
	return func(t *testing.T) func() {
		t.Helper()
		body, rest := io.Pipe()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.https+"/dns-query", body)
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/dns-message")
		go func() {
			resp, err := transport.RoundTrip(request)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			o.count(err)
		}()
		return func() {
			_, err := rest.Write(packed)
			assert.NoError(t, err)
			assert.NoError(t, rest.Close())
		}
	}
}

func beginOverHTTP2(t *testing.T, r *resolver, o *outcomes) beginner {
	t.Helper()
	return beginWithSettings(t, r, o)
}

func beginWithSettings(t *testing.T, r *resolver, o *outcomes, settings ...http2.Setting) beginner {
	t.Helper()
	f, id, packed := r.frames(t, settings...), uint32(1), pack(t, dnstest.Question("example.org.", dns.TypeA))
	require.NoError(t, f.conn.SetDeadline(time.Now().Add(4*timeLimit)))
	go func() {
		for {
			switch frame, err := f.ReadFrame(); frame := frame.(type) {
			case *http2.RSTStreamFrame:
				o.count(http2.StreamError{StreamID: frame.StreamID, Code: frame.ErrCode})
			case *http2.DataFrame:
				o.count(nil)
			default:
				if err != nil {
					return
				}
			}
		}
	}()
	return func(t *testing.T) func() {
		t.Helper()
		stream := id
		id += 2
		f.header(t, stream, false, post...)
		return func() { assert.NoError(t, f.WriteData(stream, true, packed)) }
	}
}

// skipIfLate skips a test that has taken so long that the oldest requests may have reached their time limit.
func skipIfLate(t *testing.T, began time.Time) {
	t.Helper()
	if time.Since(began) > 5*time.Second {
		t.Skip("this machine is too slow: the requests reach their time limit")
	}
}

// TestUnfinishedRequests has more requests that are never completed, on many connections, than there is room for. The
// oldest ones are cut off, and the others can be completed.
func TestUnfinishedRequests(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, *resolver, *outcomes) beginner{
		"quic": beginOverQUIC, "http2": beginOverHTTP2, "http3": beginOverHTTP3,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, o := start(t, dnsfilter.Config{}), &outcomes{}
			began := time.Now()
			for range 11 {
				next := begin(t, r, o)
				for range 100 {
					next(t)
				}
			}
			skipIfLate(t, began)
			require.Eventually(t, func() bool { return o.cut.Load() == 100 }, timeLimit, time.Millisecond, "there is room for 1000")
			complete := begin(t, r, o)(t)
			require.Eventually(t, func() bool { return o.cut.Load() == 101 }, timeLimit, time.Millisecond)
			assert.Zero(t, o.answered.Load())
			complete()
			require.Eventually(t, func() bool { return o.answered.Load() == 1 }, timeLimit, time.Millisecond, "its query is complete")
			assert.EqualValues(t, 101, o.cut.Load())
			assert.Zero(t, o.other.Load())
		})
	}
}

// TestUnreadAnswers has more answers that clients do not read than there is room for. The oldest ones are cut off.
func TestUnreadAnswers(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(*testing.T, *resolver) func(context.Context) error{
		"quic": func(t *testing.T, r *resolver) func(context.Context) error {
			t.Helper()
			conn, err := quic.DialAddr(t.Context(), r.quic, r.config("doq"), &quic.Config{InitialStreamReceiveWindow: 1})
			require.NoError(t, err)
			m := dnstest.Question("long.example.org.", dns.TypeTXT)
			m.Id = 0
			whole := framed(t, m)
			return func(ctx context.Context) error {
				stream, err := conn.OpenStreamSync(ctx)
				if err != nil {
					return err
				}
				_, err = stream.Write(whole)
				return errors.Join(err, stream.Close())
			}
		},
		"http3": func(t *testing.T, r *resolver) func(context.Context) error {
			t.Helper()
			transport := &http3.Transport{TLSClientConfig: r.config(), QUICConfig: &quic.Config{InitialStreamReceiveWindow: 500}}
			t.Cleanup(func() { _ = transport.Close() })
			packed := pack(t, dnstest.Question("long.example.org.", dns.TypeTXT))
			return func(ctx context.Context) error {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.https+"/dns-query", bytes.NewReader(packed))
				require.NoError(t, err)
				request.Header.Set("Content-Type", "application/dns-message")
				_, err = transport.RoundTrip(request) //nolint:bodyclose // it is not read
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, began := start(t, dnsfilter.Config{}), time.Now()
			oldest := dial(t, r)
			for range 100 {
				require.NoError(t, oldest(t.Context()))
			}
			skipIfLate(t, began)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			require.Error(t, oldest(ctx), "the connection has 100 streams")
			for range 10 {
				ask := dial(t, r)
				for range 100 {
					require.NoError(t, ask(t.Context()))
				}
			}
			ctx, cancel = context.WithTimeout(t.Context(), timeLimit)
			defer cancel()
			require.NoError(t, oldest(ctx), "one has ended")
		})
	}
	t.Run("http2", func(t *testing.T) {
		t.Parallel()
		r, o, began := start(t, dnsfilter.Config{}), &outcomes{}, time.Now()
		for range 11 {
			next := beginWithSettings(t, r, o, http2.Setting{ID: http2.SettingInitialWindowSize})
			for range 100 {
				next(t)()
			}
		}
		skipIfLate(t, began)
		require.Eventually(t, func() bool { return o.cut.Load() == 100 }, timeLimit, time.Millisecond)
	})
}
