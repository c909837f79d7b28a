package dnsfilter

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// primaryOf returns the [PrimaryZone] that has to answer a packet by Transfer: a transfer request, or a signed query
// for the zone's name. It returns nil for any other packet.
func (c *snapshot) primaryOf(packet []byte) PrimaryZone {
	const headOfQuery = dnswire.FlagQR | dnswire.MaskOpcode
	if !c.zones.primary || dnswire.Flags(packet)&headOfQuery != 0 || dnswire.Count(packet, dnswire.Question) != 1 {
		return nil
	}
	var buf [blocklist.MaxName]byte
	name, end := dnswire.AppendName(buf[:0], packet, dnswire.HeaderSize)
	if end == 0 || end+4 > len(packet) {
		return nil
	}
	z := c.zones.by[blocklist.Name(name)]
	switch {
	case z == nil || z.primary == nil:
		return nil
	case isTransfer(binary.BigEndian.Uint16(packet[end:])):
		return z.primary
	}
	for r := range dnswire.Records(packet) {
		if r.Type == dns.TypeTSIG {
			return z.primary
		}
	}
	return nil
}

// answerNotify returns the answer to a NOTIFY message (RFC 1996) about a zone that this server copies. For any other
// packet it returns nil.
func (c *snapshot) answerNotify(packet []byte, client netip.Addr) []byte {
	const notify = dns.OpcodeNotify << 11
	if c.notified == nil || dnswire.Flags(packet)&(dnswire.FlagQR|dnswire.MaskOpcode) != notify {
		return nil
	}
	return c.notified(packet, client)
}

// transfer passes a packet to the [PrimaryZone] that has to answer it. It returns false if there is none, or if the
// client is not served.
func (s *Server) transfer(packet []byte, client netip.Addr, stream bool, send func([]byte) error) bool {
	c := s.current.Load()
	z := c.primaryOf(packet)
	if z == nil || !serves(c.clients, plainAddr(client)) {
		return false
	}
	if stream || c.limiter == nil || c.limiter.Allow(networkKey(client)) {
		z.Transfer(packet, client, stream, send)
	} else {
		s.shared.limited.Add(1)
	}
	return true
}

// primaryAnswer appends the answer to an unsigned query in a zone of which this server is the primary: the SOA record,
// if the client may copy the zone, otherwise a refusal.
func (q *query) primaryAnswer(dst []byte, z *zone) []byte {
	if len(q.name()) != len(z.name) {
		return q.refuse(dst, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited)
	}
	record, rcode := z.primary.SOA(q.client)
	if rcode != dns.RcodeSuccess {
		return q.refuse(dst, rcode, 0)
	}
	m := append(q.start(dst, dns.RcodeSuccess), 0xc0, dnswire.HeaderSize)
	m = append(m, record...)
	dnswire.SetFlags(m, dnswire.Flags(m)|dnswire.FlagAA)
	if q.qtype == dns.TypeSOA {
		dnswire.SetCount(m, dnswire.Answer, 1)
	} else {
		dnswire.SetCount(m, dnswire.Authority, 1)
	}
	return q.finish(m, 0, ede{})
}
