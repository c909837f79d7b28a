package dnsfilter

import (
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Scrubbing removes the records of a reply that do not answer the question: other owner names or classes, additional
// addresses, name servers of the zone. The order of records in a section means nothing (RFC 1034, section 3.6). So
// scrubbing follows the CNAME chain by owner names, and sorts the records in the order of the chain, as the inspection
// needs them.
//
// trim is the fast case: it only cuts records off at the end, which is nearly always enough. scrub is the general case.

// signsLast reports whether a record is an RRSIG record that covers the last record of the chain.
func (w *chainWalk) signsLast(r *dnswire.Record) bool {
	return r.Type == dns.TypeRRSIG && w.qtype != dns.TypeRRSIG && r.Covers(w.last.Type) &&
		dnswire.EqualNames(w.message, r.Owner, w.last.Owner)
}

// belongs reports whether records of a type are kept in the authority section. The proofs of DNSSEC are always kept
// (RFC 4035, section 3.1.3). If the answer has no records of the queried type (found is false), the SOA record of a
// denial is kept, and so are referrals: NS records with their DS records. If ofZone is true, records are kept only if
// their owner is a zone that contains the last name of the chain.
func belongs(rrtype uint16, found bool) (kept, ofZone bool) {
	switch rrtype {
	case dns.TypeNSEC, dns.TypeNSEC3:
		return true, false
	case dns.TypeSOA:
		return !found, false
	case dns.TypeNS, dns.TypeDS:
		return !found, true
	}
	return false, false
}

// chainWalk follows the CNAME chain in a packed message.
type chainWalk struct {
	message []byte
	qtype   uint16
	name    int  // offset of the last name of the chain so far
	found   bool // a record of the queried type was found
	pending bool // the last record is a DNAME; its synthesized CNAME must follow
	last    dnswire.Record
}

// trim removes the records at the end of a message that do not answer its question. It returns false if that is not
// enough: if a record that is followed by others would have to be removed or moved. The message must have no additional
// section, and its names must be valid.
func trim(m []byte) ([]byte, bool) {
	end := dnswire.SkipName(m, dnswire.HeaderSize)
	const name = dnswire.HeaderSize
	w := chainWalk{message: m, qtype: binary.BigEndian.Uint16(m[end:]), name: name, last: dnswire.Record{Owner: name}}
	end += 4
	kept, cut := 0, false
	for r := range dnswire.Records(m) {
		if r.Section == dnswire.Answer {
			if !w.accepts(&r) {
				return nil, false
			}
			end = r.End()
			continue
		}
		if w.pending {
			return nil, false
		}
		if !w.belongs(&r) {
			cut = true
			continue
		}
		if cut {
			return nil, false // later records may have pointers to it
		}
		kept, end = kept+1, r.End()
	}
	dnswire.SetCount(m, dnswire.Authority, kept)
	return m[:end], !w.pending
}

// accepts reports whether a record of the answer section belongs to the chain at this point: it continues the chain, or
// has the queried type and the last name of the chain as its owner.
func (w *chainWalk) accepts(r *dnswire.Record) bool {
	if !r.IsInternet(w.message) {
		return false
	}
	if w.signsLast(r) {
		return true
	}
	here := dnswire.EqualNames(w.message, r.Owner, w.name)
	w.last = *r
	switch {
	case here && (r.Type == w.qtype || w.qtype == dns.TypeANY):
		w.found = true
		return !w.pending
	case here && r.Type == dns.TypeCNAME && !w.found:
		w.pending = false
		w.name = r.At
		return true
	case !here && r.Type == dns.TypeDNAME && !w.found && !w.pending:
		w.pending = true
		return dnswire.IsAbove(w.message, r.Owner, w.name)
	}
	return false
}

// belongs reports whether a record of the authority section is kept.
func (w *chainWalk) belongs(r *dnswire.Record) bool {
	rrtype := r.Type
	if rrtype == dns.TypeRRSIG && len(r.Data) > 2 {
		rrtype = binary.BigEndian.Uint16(r.Data)
	}
	kept, ofZone := belongs(rrtype, w.found)
	return kept && r.IsInternet(w.message) && (!ofZone || dnswire.IsAbove(w.message, r.Owner, w.name))
}

// scrub returns the records of a reply that answer the question: the CNAME chain in order, with the records at its end,
// and the records of the authority section that belong to the answer.
func scrub(asked dns.Question, reply *dns.Msg) (answer, authority []dns.RR) {
	b := newChainBuilder(reply.Answer)
	b.follow(wireName(asked.Name), asked.Qtype)
	for _, rr := range reply.Ns {
		kept, ofZone := belongs(covered(rr), b.found)
		if kept && rr.Header().Class == dns.ClassINET && (!ofZone || b.end.Within(wireName(rr.Header().Name))) {
			authority = append(authority, rr)
		}
	}
	return b.chain, authority
}

// chainBuilder collects the records of a CNAME chain from an answer, by owner name.
type chainBuilder struct {
	by    map[blocklist.Name][]dns.RR
	chain []dns.RR
	end   blocklist.Name // the last name of the chain so far
	found bool           // a record of the queried type was found
}

func newChainBuilder(answer []dns.RR) *chainBuilder {
	b := &chainBuilder{by: make(map[blocklist.Name][]dns.RR, len(answer))}
	for _, rr := range answer {
		if rr.Header().Class == dns.ClassINET {
			name := wireName(rr.Header().Name)
			b.by[name] = append(b.by[name], rr)
		}
	}
	return b
}

// follow collects the records of the chain. It visits each name and each DNAME record once, so it ends even if the
// chain is a loop.
func (b *chainBuilder) follow(name blocklist.Name, qtype uint16) {
	for name != "" {
		b.end = name
		here := b.by[name]
		delete(b.by, name)
		for _, rr := range here {
			if rrtype := rr.Header().Rrtype; qtype == dns.TypeANY || rrtype == qtype {
				b.found = true
			}
			if qtype == dns.TypeANY || covered(rr) == qtype || rr.Header().Rrtype == qtype {
				b.chain = append(b.chain, rr)
			}
		}
		if b.found {
			return
		}
		name = b.alias(name, here)
	}
}

// alias collects the CNAME record of a name. The argument here has the records that the name owns. If a DNAME record
// above the name covers it, alias collects that record, too. If the name has no CNAME record, alias synthesizes one
// from the DNAME record (RFC 6672, section 3.1). It returns the target, or an empty name if there is neither record.
func (b *chainBuilder) alias(name blocklist.Name, here []dns.RR) blocklist.Name {
	made := b.redirect(name)
	for _, rr := range here {
		if alias, ok := rr.(*dns.CNAME); ok {
			b.chain = append(b.chain, alias)
			b.sign(here, dns.TypeCNAME)
			return wireName(alias.Target)
		}
	}
	if made == nil {
		return ""
	}
	b.chain = append(b.chain, made)
	return wireName(made.Target)
}

// redirect collects the DNAME record above a name. It returns the CNAME record synthesized from it, or nil if there is
// no DNAME record.
func (b *chainBuilder) redirect(name blocklist.Name) *dns.CNAME {
	for above := range name.Suffixes() {
		for _, rr := range b.by[above] {
			r, ok := rr.(*dns.DNAME)
			if !ok {
				continue
			}
			b.chain = append(b.chain, r)
			b.sign(b.by[above], dns.TypeDNAME)
			b.by[above] = slices.DeleteFunc(b.by[above], func(rr dns.RR) bool { return covered(rr) == dns.TypeDNAME })
			return makeAlias(name, above, r)
		}
	}
	return nil
}

// makeAlias synthesizes the CNAME record of a name from a DNAME record above it. It returns nil if the target would be
// too long.
func makeAlias(name, above blocklist.Name, r *dns.DNAME) *dns.CNAME {
	owner, _, err := dns.UnpackDomainName([]byte(name), 0)
	made := string(name[:len(name)-len(above)]) + string(wireName(r.Target))
	target, _, errMade := dns.UnpackDomainName([]byte(made), 0)
	if err != nil || errMade != nil || len(made) > blocklist.MaxName {
		return nil
	}
	return &dns.CNAME{
		Hdr:    dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: r.Hdr.Ttl},
		Target: target,
	}
}

// sign collects the RRSIG records that cover a type, from the given records.
func (b *chainBuilder) sign(of []dns.RR, rrtype uint16) {
	for _, rr := range of {
		if rr.Header().Rrtype == dns.TypeRRSIG && covered(rr) == rrtype {
			b.chain = append(b.chain, rr)
		}
	}
}

// covered returns the type of a record. For an RRSIG record it returns the covered type.
func covered(rr dns.RR) uint16 {
	if sig, ok := rr.(*dns.RRSIG); ok {
		return sig.TypeCovered
	}
	return rr.Header().Rrtype
}

// wireName returns a name in lower-case wire form, or an empty name if it is invalid.
func wireName(name string) blocklist.Name {
	wire, err := blocklist.AppendName(nil, name)
	if err != nil {
		return ""
	}
	return blocklist.Name(wire)
}
