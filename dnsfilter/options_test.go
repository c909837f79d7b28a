package dnsfilter_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// withOption packs a query with an option of any code and content.
func withOption(t *testing.T, name string, code uint16, data []byte, flags byte) []byte {
	t.Helper()
	packed, err := dnstest.Question(name, dns.TypeA).SetEdns0(1232, false).Pack()
	require.NoError(t, err)
	packed[3] |= flags
	size := len(packed) - 2
	binary.BigEndian.PutUint16(packed[size:], uint16(4+len(data)))
	packed = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(packed, code), uint16(len(data)))
	return append(packed, data...)
}

// exchangePacked sends a packed query, and returns the answer.
func exchangePacked(t *testing.T, network, addr string, packed []byte) *dns.Msg {
	t.Helper()
	conn, err := net.Dial(network, addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	if network == "tcp" {
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	_, err = conn.Write(packed)
	require.NoError(t, err)
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	require.NoError(t, err)
	if network == "tcp" {
		for n < 2 || n < 2+int(binary.BigEndian.Uint16(buf)) {
			more, err := io.ReadAtLeast(conn, buf[n:], 1)
			require.NoError(t, err)
			n += more
		}
		buf, n = buf[2:], n-2
	}
	reply := new(dns.Msg)
	require.NoError(t, reply.Unpack(buf[:n]))
	return reply
}

// TestOptionsThatMeanNothingHere are ignored, of whatever length (RFC 6891, section 6.1.2), whichever path the query
// takes. Only a cookie of a wrong length, or an option that is cut, breaks the rules (RFC 7873, section 5.2.2).
func TestOptionsThatMeanNothingHere(t *testing.T) {
	t.Parallel()
	const unassigned = 0x40 // a bit of the header that takes a query to the plain path
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{
		Store:  dnstest.NewStore(t, map[string]string{"l": "listed.test"}),
		Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
	}))
	for _, network := range []string{"udp", "tcp"} {
		for _, flags := range []byte{0, unassigned} {
			for _, code := range []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 65001, 65535} {
				for _, size := range []int{0, 1, 2, 3, 5, 9} {
					if network == "tcp" && size%2 == 0 {
						continue
					}
					label := fmt.Sprint(network, " flags ", flags, " option ", code, " of ", size)
					m := exchangePacked(t, network, addr, withOption(t, "example.org.", code, make([]byte, size), flags))
					assert.Equal(t, dns.RcodeSuccess, m.Rcode, label)
					assert.Len(t, m.Answer, 1, label)
					require.NotNil(t, m.IsEdns0(), label)
					for _, o := range m.IsEdns0().Option { // nothing is echoed
						assert.True(t, network == "tcp" && o.String() == "use tcp keep-alive, timeout 30000ms", label)
					}
				}
			}
			m := exchangePacked(t, network, addr, withOption(t, "listed.test.", dns.EDNS0ZONEVERSION, nil, flags))
			assert.Equal(t, []uint16{15}, dnstest.EDEs(m))
			for _, broken := range [][]byte{
				withOption(t, "example.org.", dns.EDNS0COOKIE, make([]byte, 9), flags),
				append(withOption(t, "example.org.", dns.EDNS0NSID, nil, flags)[:len(withOption(t, "example.org.", 3, nil, 0))-1], 9),
			} {
				m = exchangePacked(t, network, addr, broken)
				assert.Equal(t, dns.RcodeFormatError, m.Rcode)
				assert.NotNil(t, m.IsEdns0(), "as the query had one")
			}
		}
	}
}

// TestStructuredErrorsOnBothPaths asks by an option that miekg/dns knows by another meaning, of a length that it does
// not take.
func TestStructuredErrorsOnBothPaths(t *testing.T) {
	t.Parallel()
	notice := dnsfilter.Notice{Authority: "The authority"}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{
		Store:  dnstest.NewStore(t, map[string]string{"l": "listed.test"}),
		Policy: dnsfilter.Policy{StructuredErrors: dns.EDNS0EDE, Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain, Notice: notice}}},
	}))
	for _, flags := range []byte{0, 0x40} {
		for _, code := range []uint16{dns.EDNS0EDE, dns.EDNS0NSID} {
			m := exchangePacked(t, "udp", addr, withOption(t, "listed.test.", code, nil, flags))
			require.NotNil(t, m.IsEdns0())
			require.Len(t, m.IsEdns0().Option, 1)
			text := m.IsEdns0().Option[0].(*dns.EDNS0_EDE).ExtraText
			assert.Equal(t, code == dns.EDNS0EDE, text == `{"o":"The authority","l":"und"}`, text)
		}
	}
}

// Messages of other kinds get nothing but the bits that are defined for all of them.
func TestFlagsOfOtherOpcodes(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{})
	m := dnstest.Question("example.org.", dns.TypeA)
	m.Opcode, m.CheckingDisabled, m.AuthenticatedData = 15, true, true
	reply := ask(t, s, "udp", m)
	assert.Equal(t, dns.RcodeNotImplemented, reply.Rcode)
	assert.Equal(t, []bool{false, false, false, true}, []bool{reply.RecursionAvailable, reply.CheckingDisabled, reply.AuthenticatedData, reply.RecursionDesired})
}
