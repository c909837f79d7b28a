package dnsfilter

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// How long answers are kept, in seconds, whatever their records say (RFC 2308, sections 5 and 7.1; RFC 8767, section 4).
const (
	maxTTL      = 24 * 3600
	negativeTTL = 3600
	failureTTL  = 5
	noAnswerTTL = 1 // of the failure to get any answer (RFC 9520, section 3.2)
	staleTTL    = 30
	ailingFor   = 30 // a name that could not be looked up again may be looked up well, so that it is waited for
)

// lifetime returns for how many seconds an answer may be kept, 0 for not at all. It sets TTLs that are longer than a day to that, and
// of a negative answer those longer than an hour; that of its SOA record to how long it denies, so that it counts down to the end.
func lifetime(body []byte) uint32 {
	shortest, most, negative := uint32(maxTTL), uint32(maxTTL), false
	for r := range records(body) {
		ttl := binary.BigEndian.Uint32(r.ttl)
		if r.section == authoritySection && r.rrtype == dns.TypeSOA && len(r.data) > 20 {
			negative, most = true, negativeTTL
			ttl = min(ttl, binary.BigEndian.Uint32(r.data[len(r.data)-4:]))
			binary.BigEndian.PutUint32(r.ttl, ttl)
		}
		shortest = min(shortest, ttl)
	}
	for r := range records(body) {
		binary.BigEndian.PutUint32(r.ttl, min(binary.BigEndian.Uint32(r.ttl), most))
	}
	rcode := count(body, 2) & maskRcode
	switch {
	case rcode == dns.RcodeServerFailure:
		return min(failureTTL, shortest)
	case rcode == dns.RcodeSuccess && count(body, 6) > 0:
		return min(shortest, most)
	case negative && (rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError):
		return min(shortest, most)
	}
	return 0
}
