package dnsfilter

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"
)

// talliedTypes are the query types that are counted apart; the others are counted together.
var talliedTypes = [...]uint16{ //nolint:gochecknoglobals // a constant table
	dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypePTR, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeSRV, dns.TypeSOA,
	dns.TypeCNAME, dns.TypeDS, dns.TypeDNSKEY, dns.TypeSVCB, dns.TypeANY,
}

// talliedRcodes is how many rcodes are counted: those up to BADCOOKIE.
const talliedRcodes = dns.RcodeBadCookie + 1

// tally counts the answers that were sent, by type and rcode. Each socket has its own, so processors do not share what they write to.
type tally [len(talliedTypes) + 1][talliedRcodes]atomic.Uint64

// count counts an answer in wire form.
func (t *tally) count(m []byte) {
	i, off := len(talliedTypes), headerSize
	if count(m, 4) > 0 {
		off = min(skipName(m, headerSize)+4, len(m))
		if at := slices.Index(talliedTypes[:], binary.BigEndian.Uint16(m[off-4:])); at >= 0 {
			i = at
		}
	}
	rcode := int(m[3] & maskRcode)
	if m[6]|m[7]|m[8]|m[9] == 0 && off+11 <= len(m) && m[off] == 0 && count(m, off+1) == int(dns.TypeOPT) {
		rcode |= int(m[off+5]) << 4 // which nothing else but an OPT record has
	}
	t[i][min(rcode, talliedRcodes-1)].Add(1)
}

// rcodeName returns the name of a counted rcode. What miekg/dns calls BADSIG is BADVERS here: there are no signatures.
func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS"
	}
	return dns.RcodeToString[rcode]
}

// add adds what t has counted to sum.
func (t *tally) add(sum *tally) {
	for i := range t {
		for rcode := range t[i] {
			sum[i][rcode].Add(t[i][rcode].Load())
		}
	}
}

// talliedName returns the name of the i-th counted type.
func talliedName(i int) string {
	if i < len(talliedTypes) {
		return dns.TypeToString[talliedTypes[i]]
	}
	return "other"
}

// Answer is what answers are counted by.
type Answer struct {
	Transport string // udp, or tcp for all that is a stream
	Type      string // of the query; "other" for those that are not counted apart
	Rcode     string // as in [dns.RcodeToString], except that 16 is BADVERS
}

// answers returns how many answers were sent.
func (s *Server) answers() map[Answer]uint64 {
	udp, stream := new(tally), new(tally)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared.answers.add(udp)
	s.shared.streamed.add(stream)
	for _, c := range s.counters {
		c.answers.add(udp)
	}
	out := make(map[Answer]uint64)
	udp.collect("udp", out)
	stream.collect("tcp", out)
	return out
}

// collect adds what was counted for a transport to out.
func (t *tally) collect(transport string, out map[Answer]uint64) {
	for i := range t {
		for rcode := range t[i] {
			if n := t[i][rcode].Load(); n > 0 {
				out[Answer{transport, talliedName(i), rcodeName(rcode)}] += n
			}
		}
	}
}
