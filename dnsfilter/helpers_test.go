package dnsfilter_test

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// recorder is a client without a network.
type recorder struct {
	dns.ResponseWriter

	network string
	got     []byte
}

func (r *recorder) RemoteAddr() net.Addr {
	if r.network == "tcp" {
		return &net.TCPAddr{}
	}
	return &net.UDPAddr{}
}

func (r *recorder) WriteMsg(m *dns.Msg) (err error) {
	r.got, err = m.Pack()
	return err
}

func (r *recorder) Write(b []byte) (int, error) {
	r.got = b
	return len(b), nil
}

// ask passes a message to the server and returns its answer, or nil.
func ask(t testing.TB, h dns.Handler, network string, m *dns.Msg) *dns.Msg {
	t.Helper()
	r := recorder{network: network}
	h.ServeDNS(&r, m)
	if r.got == nil {
		return nil
	}
	reply := new(dns.Msg)
	require.NoError(t, reply.Unpack(r.got))
	require.Equal(t, m.Id, reply.Id)
	require.True(t, reply.Response)
	return reply
}
