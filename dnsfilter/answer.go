package dnsfilter

import (
	"net/netip"

	"github.com/miekg/dns"
)

// blockTTL is how long, in seconds, clients keep a blocked answer: unblocking is to be as fast as blocking.
const blockTTL = 30

// answer renders a decision that blocks. False means that nothing is to be sent.
func (d Decision) answer(q *query) (answer, bool) {
	var a answer
	switch d.Action {
	case Drop:
		return answer{}, false
	case Refused:
		a = q.message(dns.RcodeRefused, nil, nil)
	case NXDomain:
		a = q.message(dns.RcodeNameError, nil, q.authority())
	case Sinkhole:
		return d.sinkhole(q), true
	default:
		a = q.message(dns.RcodeSuccess, nil, q.authority())
	}
	a.ede = d.rule.Reason.codes()
	return a, true
}

// sinkhole answers with the addresses of the family asked for; without any, there is no data.
func (d Decision) sinkhole(q *query) answer {
	var records []dns.RR
	for _, addr := range d.rule.Sinkhole {
		if rr := q.address(addr); rr != nil {
			records = append(records, rr)
		}
	}
	ede := d.rule.Reason.codes()
	if records == nil {
		a := q.message(dns.RcodeSuccess, nil, q.authority())
		a.ede = ede
		return a
	}
	a := q.message(dns.RcodeSuccess, records, nil)
	if a.ede = ede; ede != nil {
		a.ede = append(a.ede, dns.ExtendedErrorCodeForgedAnswer)
	}
	return a
}

// address returns the record of addr if its family is the one asked for.
func (q *query) address(addr netip.Addr) dns.RR {
	switch {
	case q.qtype == dns.TypeA && addr.Is4():
		return &dns.A{Hdr: q.owner(dns.TypeA), A: addr.AsSlice()}
	case q.qtype == dns.TypeAAAA && addr.Is6():
		return &dns.AAAA{Hdr: q.owner(dns.TypeAAAA), AAAA: addr.AsSlice()}
	}
	return nil
}

// authority is the SOA record by which caches know how long a negative answer holds (RFC 2308, section 3).
func (q *query) authority() []dns.RR {
	return []dns.RR{&dns.SOA{
		Hdr: q.owner(dns.TypeSOA), Ns: "localhost.", Mbox: "nobody.invalid.",
		Serial: 1, Refresh: 3600, Retry: 1200, Expire: 604800, Minttl: blockTTL,
	}}
}

func (q *query) owner(rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: q.msg.Question[0].Name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: blockTTL}
}

// codes returns the extended errors of a reason.
func (r Reason) codes() []uint16 {
	switch r {
	case Blocked:
	case Censored:
		return []uint16{dns.ExtendedErrorCodeCensored}
	case Filtered:
		return []uint16{dns.ExtendedErrorCodeFiltered}
	case NoReason:
		return nil
	}
	return []uint16{dns.ExtendedErrorCodeBlocked}
}
