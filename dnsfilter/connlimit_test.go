package dnsfilter_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// dialFrom connects over TCP from a client's address.
func dialFrom(t *testing.T, client, addr string) *dns.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}, Timeout: time.Minute}
	conn, err := d.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &dns.Conn{Conn: conn}
}

// TestBusyConnectionsKeepNobodyOut has ten clients that open 100 connections each, all of which wait for one slow name.
func TestBusyConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	_, addr := victims(t)
	for i := range 1000 {
		_ = dialFrom(t, fmt.Sprintf("127.0.7.%d", i%10+1), addr).WriteMsg(dnstest.Question("slow.victim.test.", dns.TypeTXT)) // it may be closed already
	}
	for i := range 20 {
		conn := dialFrom(t, "127.0.9.9", addr)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		require.NoError(t, conn.WriteMsg(dnstest.Question(fmt.Sprintf("n%d.other.test.", i), dns.TypeTXT)))
		m, err := conn.ReadMsg()
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
	}
}
