package secure

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// FuzzStream sends any bytes on a stream. What is taken for a query is what was sent, with the ID 0 and without
// edns-tcp-keepalive; a whole message like that is taken.
func FuzzStream(f *testing.F) {
	for _, options := range [][]dns.EDNS0{nil, {&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}, {&dns.EDNS0_PADDING{Padding: make([]byte, 9)}}} {
		m := new(dns.Msg).SetQuestion("example.org.", dns.TypeA).SetEdns0(1232, true)
		m.Id, m.IsEdns0().Option = 0, options
		packed, err := m.Pack()
		require.NoError(f, err)
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
		f.Add(slices.Clone(framed))
		f.Add(append(slices.Clone(framed[:2]), append([]byte{1}, framed[3:]...)...)) // an ID
		f.Add(framed[:len(framed)-1])
		f.Add(append(framed, 0))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		b, _ := pool.Get().(*buffers)
		defer pool.Put(b)
		b.query = b.query[:0]
		err := b.readStream(bytes.NewReader(sent))
		query, ok := parseStream(b.query)
		var m dns.Msg
		whole := len(sent) > 2 && int(binary.BigEndian.Uint16(sent)) == len(sent)-2
		parsed := whole && m.Unpack(sent[2:]) == nil
		if errors.Is(err, io.EOF) && ok {
			require.True(t, whole)
			require.Equal(t, sent[2:], query)
			require.True(t, !parsed || allowed(&m), m.String())
			return
		}
		require.False(t, parsed && allowed(&m) && len(sent) < cap(b.query) && len(m.Question) > 0, m.String())
	})
}

// allowed reports whether a message may be sent over QUIC.
func allowed(m *dns.Msg) bool {
	return m.Id == 0 && !slices.ContainsFunc(slices.Concat(m.Answer, m.Ns, m.Extra), func(rr dns.RR) bool {
		opt, ok := rr.(*dns.OPT)
		return ok && slices.ContainsFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0TCPKEEPALIVE })
	})
}
