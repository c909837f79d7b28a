package dnsfilter

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// soa is the SOA record of a negative answer, without its owner name. It limits how long the answer may be cached (RFC
// 2308, section 3): its TTL and its MINIMUM field are blockTTL.
const soa = "\x00\x06\x00\x01\x00\x00\x00\x1e\x00\x2f\x09localhost\x00\x06nobody\x07invalid\x00" +
	"\x00\x00\x00\x01\x00\x00\x0e\x10\x00\x00\x04\xb0\x00\x09\x3a\x80\x00\x00\x00\x1e"

// hinfo is the HINFO record that answers a query of type ANY (RFC 8482, section 4.2), owned by the query name. ANY
// queries are mostly sent to get large answers. The TTL is short, since the name may not exist.
const hinfo = "\xc0\x0c\x00\x0d\x00\x01\x00\x00\x00\x1e\x00\x09\x07RFC8482\x00"

// minimalAny appends the answer to a query of type ANY. A DNSSEC validator can't use a record without a signature. So a
// query with the DO bit gets an answer with TC set, and the upstream answers it over TCP, where the client's address
// can't be forged.
func (q *query) minimalAny(dst []byte) []byte {
	if q.do {
		return q.truncated(dst)
	}
	m := append(q.start(dst, dns.RcodeSuccess), hinfo...)
	dnswire.SetCount(m, dnswire.Answer, 1)
	return q.finish(m, 0, ede{})
}

// appendAnswer appends to dst the answer to a blocked query. It returns false if nothing is to be sent.
func (d *Decision) appendAnswer(dst []byte, q *query) ([]byte, bool) {
	switch d.Action {
	case Drop:
		return nil, false
	case Refused:
		return q.finish(q.start(dst, dns.RcodeRefused), 0, d.ede(q)), true
	case NXDomain:
		return d.negative(dst, q, dns.RcodeNameError), true
	case Sinkhole:
		if target := d.target(q); target != "" {
			return d.cname(dst, q, target), true
		}
		if d.rule.hasAddress(q.qtype) && !q.structured { // a client that can read the reason gets no forged address
			return d.sinkhole(dst, q), true
		}
	case Divert:
		return d.divert(dst, q), true
	case TCPOnly:
		return q.truncated(dst), true
	case LocalData:
		return d.localData(dst, q), true
	default:
	}
	return d.negative(dst, q, dns.RcodeSuccess), true
}

// negative appends a negative answer: NXDOMAIN, or no data for the query type.
func (d *Decision) negative(dst []byte, q *query, rcode int) []byte {
	if d.chain != nil {
		return q.finish(d.end(dst, q), 0, d.ede(q))
	}
	return q.finish(d.deny(q.start(dst, rcode), q), 0, d.ede(q))
}

// deny appends the SOA record to an answer without records.
func (d *Decision) deny(m []byte, q *query) []byte {
	dnswire.SetCount(m, dnswire.Authority, 1)
	return d.limit(appendSOA(m, d.zone(m, dnswire.HeaderSize, len(q.name()))))
}

// end appends the answer to a query whose CNAME chain ends in a denied name: the chain, and the denial of that name.
func (d *Decision) end(dst []byte, q *query) []byte {
	c := d.chain
	m := append(dst, c.message...)
	dnswire.SetFlags(m, dns.RcodeNameError)
	dnswire.SetCount(m, dnswire.Answer, c.records)
	dnswire.SetCount(m, dnswire.Authority, 1)
	dnswire.SetCount(m, dnswire.Additional, 0)
	q.personalize(m)
	return d.limit(appendSOA(m, d.zone(m, c.target, c.size)))
}

// zone returns the offset of the owner name of the SOA record in message m. The arguments are the offset of the denied
// name in m, and its size in bytes. The owner can't be the denied name itself, since a name with an SOA record exists
// (RFC 2308, section 2.1). So it is the parent of the denied name or, for a domain entry, which denies all names below
// it, the parent of the entry.
func (d *Decision) zone(m []byte, name, size int) int {
	if d.Match.Scope == blocklist.ScopeDomain && !d.indirect {
		name = dnswire.SkipLabels(m, name, size-d.Match.KeySize())
	}
	return dnswire.SkipLabels(m, name, 1)
}

// appendSOA appends the SOA record. Its owner is a pointer to the name at the given offset.
func appendSOA(m []byte, owner int) []byte {
	return append(append(m, 0xc0|byte(owner>>8), byte(owner)), soa...)
}

// divert appends the addresses of the proxy. If the proxy has none of the queried address family, or the query is for
// another type, the answer is no data: the real answer would lead clients around the proxy.
func (d *Decision) divert(dst []byte, q *query) []byte {
	var why ede
	if d.rule.Reason != NoReason && !q.structured {
		why.codes[0] = dns.ExtendedErrorCodeForgedAnswer
	}
	return d.addresses(dst, q, d.rule.Divert, why)
}

// appendRecord appends a record of class IN with a TTL in seconds. Its owner is the query name.
func appendRecord(m []byte, rrtype uint16, ttl uint32, data []byte) []byte {
	m = append(m, 0xc0, dnswire.HeaderSize, byte(rrtype>>8), byte(rrtype), 0, dns.ClassINET)
	m = binary.BigEndian.AppendUint32(m, ttl)
	return append(binary.BigEndian.AppendUint16(m, uint16(len(data))), data...)
}

// limit sets the TTL and the MINIMUM field of the SOA record at the end of a message to the TTL of the rule.
func (d *Decision) limit(m []byte) []byte {
	if ttl := d.rule.TTL; ttl > 0 {
		binary.BigEndian.PutUint32(m[len(m)-len(soa)+4:], ttl)
		binary.BigEndian.PutUint32(m[len(m)-4:], ttl)
	}
	return m
}
