package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// inspect decides on what an upstream's answer leads to: the targets of CNAME and DNAME records, the targets and
// address hints of SVCB and HTTPS records, and addresses. It is done each time the answer is given, from the cache or
// not, so that a changed list counts at once.
//
// The answer was scrubbed, so its records are in the order of the chain. The first alias that blocks decides, and an
// allowed name of the chain ends the reading: a client that asked for that name would be given what is behind it, too.
// The records at the end of the chain have no order, so of several decisions to block on them the one counts whose rule
// comes first in the policy.
func (q *query) inspect(store *blocklist.Store, v *View, m []byte) Decision {
	if q.allowed || dnswire.Count(m, dnswire.Answer) == 0 {
		return Decision{}
	}
	i := inspection{store: store, view: v, query: q, message: m}
	for r := range dnswire.Records(m) {
		if r.Section != dnswire.Answer {
			break
		}
		if i.records++; i.look(&r) {
			break
		}
	}
	if i.decision.Blocks() {
		i.decision.count(q.counters)
	}
	return i.decision
}

// inspection is the state of inspecting one answer.
type inspection struct {
	store    *blocklist.Store
	view     *View
	query    *query
	message  []byte
	records  int      // that were read
	decision Decision // the one to block that comes first in the policy; zero: none
}

// look decides on what a record leads to. It reports whether the rest of the answer does not matter.
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

// cname decides on the target of a CNAME record. If the record itself was asked for, and the target is denied, it is
// shown as it is in the answers to all other types.
func (i *inspection) cname(r *dnswire.Record) (done bool) {
	target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At)
	if end == 0 {
		return false
	}
	d := i.view.Decide(i.store, target)
	if d.Action == NXDomain && !follows(i.query.qtype) {
		return false
	}
	if end := r.End(); d.Action == NXDomain && end <= maxPointer {
		i.query.chain = chain{i.message[:end], i.records, r.At, len(target)}
		d.chain = &i.query.chain
	}
	i.reach(d)
	return d.Blocks() || d.Allows()
}

// follows reports whether the answer to a question of a type is that of the end of the chain.
func follows(qtype uint16) bool { return qtype != dns.TypeCNAME && qtype != dns.TypeANY }

// dname decides on the target of a DNAME record of the name asked for. One above that name is part of the chain, and
// the CNAME record behind it shows what it makes.
func (i *inspection) dname(r *dnswire.Record) {
	owner, end := dnswire.AppendName(i.query.reached[:0], i.message, r.Owner)
	if end == 0 || !bytes.Equal(owner, i.query.name()) {
		return
	}
	if target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At); end != 0 {
		i.reach(i.view.Decide(i.store, target))
	}
}

// service decides on the target and the address hints of an SVCB or HTTPS record (RFC 9460, section 2.2).
func (i *inspection) service(r *dnswire.Record) {
	if len(r.Data) < 3 {
		return
	}
	target, end := dnswire.AppendName(i.query.reached[:0], i.message, r.At+2)
	if end == 0 {
		return
	}
	if len(target) > 1 { // the root stands for the owner, or for nothing
		i.reach(i.view.Decide(i.store, target))
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

// addr decides on an address to which the answer leads.
func (i *inspection) addr(packed []byte) {
	if a, ok := netip.AddrFromSlice(packed); ok {
		i.consider(i.view.DecideAddr(i.store, a))
	}
}

// reach considers a decision on a name to which the answer leads. But for the end of a chain, NXDOMAIN becomes NODATA:
// the name asked for has other records, or there are names below it, that lead elsewhere.
func (i *inspection) reach(d Decision) {
	if d.Action == NXDomain && d.chain == nil {
		d.Action = NoData
	}
	i.consider(d)
}

// consider keeps a decision that blocks if its rule comes before that of the one kept so far. All others are counted
// only.
func (i *inspection) consider(d Decision) {
	d.indirect = d.chain == nil
	switch {
	case !d.Blocks():
		d.count(i.query.counters)
	case !i.decision.Blocks() || i.view.precedes(&d, &i.decision):
		i.decision = d
	}
}
