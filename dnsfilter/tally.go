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

// tally counts the answers that were sent, by type and by the rcode of the header. Each socket has its own, so processors do
// not share what they write to.
type tally [len(talliedTypes) + 1][maskRcode + 1]atomic.Uint64

// count counts an answer in wire form.
func (t *tally) count(m []byte) {
	i, off := len(talliedTypes), skipName(m, headerSize)
	if count(m, 4) > 0 && off+2 <= len(m) {
		if at := slices.Index(talliedTypes[:], binary.BigEndian.Uint16(m[off:])); at >= 0 {
			i = at
		}
	}
	t[i][m[3]&maskRcode].Add(1)
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

// answers returns how many answers were sent, by transport.
func (s *Server) answers() map[string]*tally {
	udp, stream := new(tally), new(tally)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared.answers.add(udp)
	s.shared.streamed.add(stream)
	for _, c := range s.counters {
		c.answers.add(udp)
	}
	return map[string]*tally{"udp": udp, "tcp": stream}
}

// answersByRcode returns how many answers were sent, by transport and rcode.
func (s *Server) answersByRcode() map[string]map[string]uint64 {
	out := make(map[string]map[string]uint64)
	for transport, t := range s.answers() {
		out[transport] = make(map[string]uint64)
		for i := range t {
			for rcode := range t[i] {
				if n := t[i][rcode].Load(); n > 0 {
					out[transport][dns.RcodeToString[rcode]] += n
				}
			}
		}
	}
	return out
}
