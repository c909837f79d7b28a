package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// inspect returns the decision on the targets in an upstream's answer: the targets of CNAME and DNAME records, the
// targets and address hints of SVCB and HTTPS records, and addresses. It runs for every answer, cached or not, so that
// a changed list takes effect at once.
//
// The answer was scrubbed, so its records are in the order of the CNAME chain. The first blocked alias decides. An
// allowed name in the chain ends the inspection, since a direct query for that name would get the rest of the chain,
// too. The records at the end of the chain have no order. If several of them are blocked, the rule that comes first in
// the policy decides. Policy zones are searched in the same pass.
func (q *query) inspect(store *blocklist.Store, v *View, m []byte) Decision {
	if q.allowed || dnswire.Count(m, dnswire.Answer) == 0 && q.zones != zonesAnswer {
		return Decision{}
	}
	i := inspection{store: store, view: v, query: q, message: m}
	if q.zones != zonesDone {
		i.zones = q.searchAnswer(v, m)
	}
	for r := range dnswire.Records(m) {
		if r.Section != dnswire.Answer {
			break
		}
		if i.records++; i.look(&r) {
			break
		}
	}
	if i.zones != nil {
		i.endZones()
	}
	if q.lack != nil {
		return Decision{}
	}
	if i.decision.Blocks() {
		q.decided(&i.decision, i.matched)
	}
	return i.decision
}

// maxPointer is the highest offset that a compression pointer can refer to.
const maxPointer = 1<<14 - 1

// inspection is the state of the inspection of one answer.
type inspection struct {
	store    *blocklist.Store
	view     *View
	query    *query
	message  []byte
	records  int      // number of records read so far
	decision Decision // the blocking decision that comes first in the policy; zero: none
	matched  []byte   // the name or address that the decision is about, for taps

	zones *zoneSearch // state of the search in the policy zones; nil: the search has ended, or there are no policy zones
}

// look inspects one record. It returns true if the rest of the answer need not be inspected.
func (i *inspection) look(r *dnswire.Record) (done bool) {
	switch r.Type {
	case dns.TypeCNAME:
		return i.cname(r)
	case dns.TypeDNAME:
		i.dname(r)
	case dns.TypeSVCB, dns.TypeHTTPS:
		i.service(r)
	case dns.TypeA, dns.TypeAAAA:
		i.addr(r.Data)
	}
	return false
}

// cname inspects the target of a CNAME record. If the action on the target is NXDOMAIN, the answer to a CNAME query
// still has the record, like the answers to queries of other types. It returns true if the inspection ends.
func (i *inspection) cname(r *dnswire.Record) (done bool) {
	target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At)
	if end == 0 {
		return false
	}
	if i.zones != nil && i.endZones() {
		return true
	}
	d := i.view.Decide(i.store, target)
	if d.Action == NXDomain && !follows(i.query.qtype) {
		return false
	}
	var c *chain
	if end := r.End(); (d.Action == NXDomain || i.zones != nil) && end <= maxPointer {
		i.query.chain = chain{i.message[:end], i.records, r.At, len(target)}
		c = &i.query.chain
	}
	if i.zones != nil && follows(i.query.qtype) && !d.Allows() && i.reachZones(target, &d, c) {
		return true
	}
	if d.Action == NXDomain {
		d.chain = c
	}
	i.reach(d, target)
	return d.Blocks() || d.Allows()
}

// follows reports whether answers to a query type follow the CNAME chain to its end.
func follows(qtype uint16) bool { return qtype != dns.TypeCNAME && qtype != dns.TypeANY }

// dname inspects the target of a DNAME record whose owner is the query name. A DNAME record above the query name needs
// no inspection: the synthesized CNAME record after it is inspected.
func (i *inspection) dname(r *dnswire.Record) {
	owner, end := dnswire.AppendName(i.query.reached[:0], i.message, r.Owner)
	if end == 0 || !bytes.Equal(owner, i.query.name()) {
		return
	}
	if target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At); end != 0 {
		i.reach(i.view.Decide(i.store, target), target)
	}
}

// service inspects the target and the address hints of an SVCB or HTTPS record (RFC 9460, section 2.2).
func (i *inspection) service(r *dnswire.Record) {
	if len(r.Data) < 3 {
		return
	}
	target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At+2)
	if end == 0 {
		return
	}
	if len(target) > 1 { // the root stands for the owner, or for nothing
		i.reach(i.view.Decide(i.store, target), target)
	}
	for rest := r.Data[min(dnswire.SkipName(r.Data, 2), len(r.Data)):]; len(rest) >= 4; {
		key, length := binary.BigEndian.Uint16(rest), dnswire.Uint16(rest, 2)
		if rest = rest[4:]; length > len(rest) {
			return
		}
		i.hints(key, rest[:length])
		rest = rest[length:]
	}
}

// hints inspects the addresses in a service parameter. Parameters other than address hints are ignored.
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

// addr inspects a packed IP address.
func (i *inspection) addr(packed []byte) {
	if a, ok := netip.AddrFromSlice(packed); ok {
		if i.zones != nil {
			i.zones.addr(a, AnswerIP)
		}
		i.consider(i.view.DecideAddr(i.store, a), packed)
	}
}

// reach calls consider with a decision on a target name. Except at the end of a CNAME chain, it first replaces the
// action NXDOMAIN by NODATA, because the query name exists: it may have records of other types, and other names may
// exist below it.
func (i *inspection) reach(d Decision, target []byte) {
	if d.Action == NXDomain && d.chain == nil {
		d.Action = NoData
	}
	i.consider(d, target)
}

// consider replaces the current blocking decision by d if d blocks and its rule comes first in the policy. If d does
// not block, it is only counted. The argument matched is the name in wire form, or the packed address, that d is about.
func (i *inspection) consider(d Decision, matched []byte) {
	d.indirect = d.chain == nil
	switch {
	case !d.Blocks():
		i.query.decided(&d, matched)
	case !i.decision.Blocks() || i.view.precedes(&d, &i.decision):
		i.decision = d
		if i.query.tap != nil {
			i.matched = bytes.Clone(matched)
		}
	}
}

// reachZones searches the policy zones for the target of a CNAME record. The argument lists is the decision of the
// lists on that target. It reports whether a policy zone blocks the target.
func (i *inspection) reachZones(target []byte, lists *Decision, c *chain) bool {
	i.zones.bound = i.view.zonesBefore(lists)
	i.zones.chain = c
	i.zones.at(target)
	i.zones.match(false)
	return i.zones.hit != nil && !i.zones.waits() && i.endZones()
}

// endZones ends the search in the policy zones for the current name of the CNAME chain. It returns true if the
// inspection ends: a rule blocks, or another query has to be answered first (see query.lack).
func (i *inspection) endZones() bool {
	if i.zones.servers(); i.query.lack != nil {
		return true
	}
	if i.zones.end(); i.zones.hit == nil {
		return false
	}
	d := i.zones.decision()
	i.zones = nil
	if !d.Blocks() {
		i.query.decided(&d, nil)
		return false
	}
	if !i.decision.Blocks() || i.view.precedes(&d, &i.decision) {
		i.decision = d
	}
	return true
}
