package dnsfilter_test

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func BenchmarkDecide(b *testing.B) {
	store := dnstest.NewStore(b, map[string]string{"l": "example.com"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}}
	for _, text := range []string{"a.b.example.org", "a.b.example.com"} {
		name, err := blocklist.ParseName(text)
		require.NoError(b, err)
		wire := []byte(name)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(store, wire)
			}
		})
	}
}

// BenchmarkAnswer measures a query from its message to the packed answer, without sockets.
func BenchmarkAnswer(b *testing.B) {
	s := blockingServer(b)
	for what, name := range map[string]string{"cached": "www.example.org.", "nxdomain": "a.nxdomain.test.", "sinkhole": "a.sinkhole.test."} {
		b.Run(what, func(b *testing.B) {
			m := dnstest.Question(name, dns.TypeA).SetEdns0(1232, false)
			r := recorder{network: "udp"}
			b.ReportAllocs()
			for b.Loop() {
				s.ServeDNS(&r, m)
			}
		})
	}
}

// BenchmarkServe sends queries over UDP on loopback, from several sockets, each of which waits for its answer.
func BenchmarkServe(b *testing.B) {
	addr, _ := dnstest.Serve(b, blockingServer(b))
	for what, name := range map[string]string{"cached": "www.example.org.", "nxdomain": "a.nxdomain.test."} {
		b.Run(what, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				conn, err := dns.Dial("udp", addr)
				if err != nil {
					panic(fmt.Sprint("dialling: ", err))
				}
				defer conn.Close()
				packed, err := dnstest.Question(name, dns.TypeA).Pack()
				buf := make([]byte, 1232)
				for err == nil && pb.Next() {
					if _, err = conn.Write(packed); err == nil {
						_, err = conn.Read(buf)
					}
				}
			})
		})
	}
}
