package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// inspect decides on what an upstream's answer leads to: the targets of CNAME and DNAME records, the targets and address
// hints of SVCB and HTTPS records, and addresses. The answer is read anew each time it is given, from the cache or not, so
// a changed list counts at once and there is no finding that could be out of date.
//
// The answer was scrubbed, so its records are in the order of the chain. The first alias that blocks decides, and an allowed name of
// the chain ends the reading: a client that asked for that name would be given what is behind it, too. The records at the end of the
// chain have no order, so of several decisions to block on them the one counts whose rule comes first in the policy.
func (q *query) inspect(store *blocklist.Store, v *View, m []byte) Decision {
	if q.allowed || count(m, 6) == 0 {
		return Decision{}
	}
	i := inspection{store: store, view: v, query: q, message: m}
	for r := range records(m) {
		if r.section != answerSection {
			break
		}
		if i.records++; i.look(r) {
			break
		}
	}
	if i.decision.Blocks() {
		q.counters.count(&i.decision)
	}
	return i.decision
}

// deliver makes of an upstream's body, in its memory, the answer to q or the one that takes its place. The extended error, if
// it is not 0, goes with the former. No bytes mean that nothing is to be sent.
func (s *Server) deliver(c *course, q *query, body []byte, why uint16) []byte {
	if s.store != nil {
		if d := q.inspect(s.store, c.views.of(q.client), body); d.Blocks() {
			s.alarm.noteReached(q, &d, s.cache.now(), s.log)
			m, _ := d.answer(body[:0], q)
			return m
		}
	}
	codes := [2]uint16{why}
	if told := binary.BigEndian.Uint16(body); told > 1 && told-1 != why {
		codes[1] = told - 1
	}
	q.own(body)
	return q.finish(body, 0, ede{codes: codes})
}

// inspection is one reading of an answer.
type inspection struct {
	store    *blocklist.Store
	view     *View
	query    *query
	message  []byte
	records  int      // that were read
	decision Decision // the one to block that comes first in the policy; zero: none
}

// chain is the beginning of an answer, as far as the CNAME record whose target does not exist. The rcode of an answer is that of
// the end of its chain (RFC 6604, section 3), so names below the beginning are not denied.
type chain struct {
	message []byte
	records int
	target  int // where the last target is
	size    int // of the target, in bytes of a name that is written out
}

// maxPointer is the last place in a message that a name can point to.
const maxPointer = 1<<14 - 1

// look decides on what a record leads to. It reports whether the rest of the answer does not matter.
func (i *inspection) look(r record) (done bool) {
	switch r.rrtype {
	case dns.TypeCNAME:
		return i.cname(r)
	case dns.TypeDNAME:
		i.dname(r)
	case dns.TypeSVCB, dns.TypeHTTPS:
		i.service(r)
	case dns.TypeA, dns.TypeAAAA:
		i.addr(r.data)
	}
	return false
}

// cname decides on the target of a CNAME record. If the record itself was asked for, and the target is denied, it is shown as it is
// in the answers to all other types.
func (i *inspection) cname(r record) (done bool) {
	target, ok := appendName(i.query.reached[:0], i.message, r.at)
	if !ok {
		return false
	}
	d := i.view.Decide(i.store, target)
	if d.Action == NXDomain && !follows(i.query.qtype) {
		return false
	}
	if end := r.at + len(r.data); d.Action == NXDomain && end <= maxPointer {
		i.query.chain = chain{i.message[:end], i.records, r.at, len(target)}
		d.chain = &i.query.chain
	}
	i.reach(d)
	return d.Blocks() || d.Allows()
}

// follows reports whether the answer to a question of a type is that of the end of the chain.
func follows(qtype uint16) bool { return qtype != dns.TypeCNAME && qtype != dns.TypeANY }

// dname decides on the target of a DNAME record of the name asked for. One above that name is part of the chain, and the CNAME record
// behind it shows what it makes.
func (i *inspection) dname(r record) {
	owner, ok := appendName(i.query.reached[:0], i.message, r.owner)
	if !ok || !bytes.Equal(owner, i.query.name()) {
		return
	}
	if target, ok := appendName(i.query.reached[:0], i.message, r.at); ok {
		i.reach(i.view.Decide(i.store, target))
	}
}

// service decides on the target and the address hints of an SVCB or HTTPS record (RFC 9460, section 2.2).
func (i *inspection) service(r record) {
	if len(r.data) < 3 {
		return
	}
	target, ok := appendName(i.query.reached[:0], i.message, r.at+2)
	if !ok {
		return
	}
	if len(target) > 1 { // the root stands for the owner, or for nothing
		i.reach(i.view.Decide(i.store, target))
	}
	for rest := r.data[min(skipName(r.data, 2), len(r.data)):]; len(rest) >= 4; {
		key, length := binary.BigEndian.Uint16(rest), count(rest, 2)
		if rest = rest[4:]; length > len(rest) {
			return
		}
		i.hints(key, rest[:length])
		rest = rest[length:]
	}
}

// hints decides on the addresses of a service parameter, if it has some.
func (i *inspection) hints(key uint16, value []byte) {
	size := 0
	switch dns.SVCBKey(key) {
	case dns.SVCB_IPV4HINT:
		size = 4
	case dns.SVCB_IPV6HINT:
		size = 16
	default:
	}
	for ; size > 0 && len(value) >= size; value = value[size:] {
		i.addr(value[:size])
	}
}

// addr decides on an address that is reached.
func (i *inspection) addr(packed []byte) {
	if a, ok := netip.AddrFromSlice(packed); ok {
		i.consider(i.view.DecideAddr(i.store, a))
	}
}

// reach considers a decision on a name that is reached. But for the end of a chain, NXDOMAIN becomes NODATA: the name asked for has
// other records, or there are names below it, that lead elsewhere.
func (i *inspection) reach(d Decision) {
	if d.Action == NXDomain && d.chain == nil {
		d.Action = NoData
	}
	i.consider(d)
}

// consider keeps a decision that blocks if its rule comes before that of the one kept so far. All others are counted only.
func (i *inspection) consider(d Decision) {
	d.beside = d.chain == nil
	switch {
	case !d.Blocks():
		i.query.counters.count(&d)
	case !i.decision.Blocks() || i.view.precedes(&d, &i.decision):
		i.decision = d
	}
}

// isService tells types whose answers may come with the addresses of their targets, for clients to use.
func isService(qtype uint16) bool { return qtype == dns.TypeSVCB || qtype == dns.TypeHTTPS }

// appendName appends a name of a message in lower-case wire form; false if it is none.
func appendName(dst, m []byte, off int) ([]byte, bool) {
	before := len(dst)
	for end := off; off < len(m); {
		length := int(m[off])
		switch {
		case length == 0:
			lowerName(dst[before:])
			return append(dst, 0), true
		case length >= 0xc0: // what it points to is before it, so there is an end
			if off+1 >= len(m) || count(m, off)&^0xc000 >= end {
				return dst, false
			}
			off = count(m, off) &^ 0xc000
			end = off
		case length > blocklist.MaxLabel || off+length >= len(m) || len(dst)-before+length+2 > blocklist.MaxName:
			return dst, false
		default:
			dst = append(dst, m[off:off+1+length]...)
			off += 1 + length
		}
	}
	return dst, false
}
