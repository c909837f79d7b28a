package dnsfilter

import (
	"bytes"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// maxLocalChain is the maximum number of CNAME records of the local data that are followed for a query.
const maxLocalChain = 8

// localAnswer returns the answer of the local data to a query, in the form that the cache keeps. The argument at is the
// zone that was found for the query name. If a CNAME record leads out of the local data, the result is nil, and the
// query continues with the target of the record (see query.alias).
func (z *zones) localAnswer(q *query, at *zone) []byte {
	m, name := new(dns.Msg), blocklist.Name(q.name())
	m.Compress = true
	m.SetQuestion(presentation(name), q.qtype)
	m.Id = 0
	for range maxLocalChain {
		target, done := at.local.addTo(m, name, at.name, q.qtype)
		if done {
			return q.packLocal(m)
		}
		name = target
		if at = z.find([]byte(name)); at == nil || !at.local.answers(name == at.name) {
			q.follow(name, m.Answer)
			return nil
		}
	}
	m.Rcode = dns.RcodeServerFailure // a loop
	m.Answer = nil
	return q.packLocal(m)
}

// addTo adds the records for a name to an answer. The argument zone is the name of n. The argument name is equal to
// zone or below it. If they are equal, addTo adds the records of n; otherwise it adds the records of the wildcard. If a
// CNAME record has to be followed, addTo returns its target, and false.
func (n *localName) addTo(m *dns.Msg, name, zone blocklist.Name, qtype uint16) (target blocklist.Name, done bool) {
	records := n.records
	if name != zone {
		records = n.wildcard
	}
	before := len(m.Answer)
	for _, rr := range records {
		alias, isAlias := rr.(*dns.CNAME)
		if rr.Header().Rrtype != qtype && qtype != dns.TypeANY && !isAlias {
			continue
		}
		rr = dns.Copy(rr)
		rr.Header().Name = presentation(name)
		m.Answer = append(m.Answer, rr)
		if isAlias && follows(qtype) {
			return wireName(alias.Target), false
		}
	}
	if len(m.Answer) > before {
		return "", true
	}
	if n.zone != nil {
		soa := *n.zone
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
		m.Ns = []dns.RR{&soa}
		if len(records) == 0 && name != zone {
			m.Rcode = dns.RcodeNameError
		}
	}
	return "", true
}

// packLocal packs an answer of the local data. A denial for a name outside the zones of the local data gets an SOA
// record, so that it can be cached.
func (q *query) packLocal(m *dns.Msg) []byte {
	packed, err := m.Pack()
	if err != nil { // too many records
		return q.failure(err)
	}
	if len(m.Answer)+len(m.Ns) == 0 && m.Rcode == dns.RcodeSuccess {
		packed = appendSOA(packed, dnswire.SkipLabels(packed, dnswire.HeaderSize, 1))
		dnswire.SetCount(packed, dnswire.Authority, 1)
	}
	return packed
}

// presentation returns a name in presentation format, as miekg/dns writes it.
func presentation(name blocklist.Name) string {
	text, _, err := dns.UnpackDomainName([]byte(name), 0)
	if err != nil {
		return "."
	}
	return text
}

// follow replaces the question of a query by one for the target of CNAME records. These records are the beginning of
// the client's answer.
func (q *query) follow(target blocklist.Name, records []dns.RR) {
	next := &alias{question: bytes.Clone(q.question), records: records}
	if a := q.alias; a != nil {
		next.question, next.records, next.why = a.question, slices.Concat(a.records, records), a.why
	}
	q.alias = next
	tail := [5]byte(q.key[len(q.key)-5:])
	q.key = append(append(q.buf[:0], target...), tail[:]...)
	q.question = bytes.Clone(q.asked())
}

// join returns the client's answer: the CNAME records that were followed, and the answer for their target. The query
// gets back the client's question, but its key remains that of the target.
func (q *query) join(target []byte) []byte {
	a := q.alias
	q.alias, q.question = nil, a.question
	failed := q.start(nil, dns.RcodeServerFailure)
	clear(failed[:2])
	m := new(dns.Msg)
	if err := m.Unpack(target); err != nil {
		return failed
	}
	m.Compress, m.AuthenticatedData = true, false
	m.Question[0].Name = a.records[0].Header().Name
	m.Answer = append(slices.Clone(a.records), m.Answer...)
	if packed, err := m.Pack(); err == nil {
		return packed
	}
	return failed
}
