package dnsfilter

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// query is one parsed query, in the forms needed to answer it. Either parsePacket fills it from a datagram, or
// parseMessage from a message unpacked by miekg/dns. Both give the same result.
type query struct {
	id         uint16
	flags      uint16 // header flags of the query; the answer depends on RD, AD and CD
	class      uint16
	qtype      uint16
	edns       bool
	do         bool
	version    uint8      // EDNS version
	size       int        // maximum size of the answer, in bytes
	question   []byte     // question in wire form (name, type, class), letter case as sent; nil: none
	key        []byte     // cache key: the question with the name in lower case, and a byte for DO and CD
	structured bool       // the client requests notices as JSON (structured errors)
	nsid       string     // NSID in the answer; empty: none
	options    []byte     // EDNS options, as received in a datagram
	allowed    bool       // an allow list has the name; the answer is not inspected
	zones      zoneState  // state of the search in the policy zones
	client     netip.Addr // client address, converted by plainAddr; zero if the client has no IP address
	padded     bool       // the answer is padded
	keepalive  uint16     // edns-tcp-keepalive of the answer: tenths of a second plus one; 0: none
	counters   *counters
	resolvers  *resolvers  // upstream of the forward zone that has the name; nil: the general upstream
	servers    serverCache // looks up name servers for policy zones; nil: name servers are not searched for
	lack       *query      // query about a name server that has to be answered first, for policy zones; nil: none
	restarts   uint8       // number of times that the query was processed again, after the query in lack was answered
	lookedUp   bool        // the query is in the field lack of another query
	tap        *tapped     // what taps need to know; nil: there are no taps
	alias      *alias      // the answer begins with these CNAME records, and the query is for their target; nil: none

	sentCookie  []byte // the client cookie and the server cookie after it, if any; nil: no cookie
	hasCookie   bool   // the answer includes the field cookie
	cookieValid bool   // sentCookie has a valid server cookie
	hasStale    bool   // the cache has an expired answer
	cookie      cookie.Cookie

	buf     [2 * (blocklist.MaxName + 5)]byte
	reached [blocklist.MaxName]byte // buffer for a target name in an answer
	chain   chain                   // chain of a decision on a target name

	zoneSearch *zoneSearch // memory for a search in policy zones, reused by the next query; nil: no search yet
}

// alias is the beginning of an answer that this server makes: CNAME records from the query name to another name. The
// rest of the answer is the answer for that name, from the cache or the upstream. An alias does not change.
type alias struct {
	question []byte // question of the client, in wire form
	records  []dns.RR
	why      ede // extended error for the blocked query name; zero: the records are local data
}

// chain is the first part of an answer, up to the CNAME record whose target is denied. The rcode of an answer applies
// to the last name of its chain (RFC 6604, section 3). So an answer with the chain does not deny the earlier names.
type chain struct {
	message []byte
	records int
	target  int // offset of the last target
	size    int // size of the target as an uncompressed name, in bytes
}

// zoneState says how much of the search in the policy zones remains for a query.
type zoneState uint8

const (
	zonesDone   zoneState = iota // nothing remains: there are no policy zones, or one has decided
	zonesReach                   // only the search for the targets of CNAME records in the answer remains
	zonesAnswer                  // the whole search remains to be done, since a zone has triggers that need the answer
)

// Bits of the last byte of a cache key.
const (
	keyDO = 1
	keyCD = 2
)

// name returns the query name in lower-case wire form.
func (q *query) name() []byte { return q.key[: len(q.key)-5 : len(q.key)-5] }

// asked returns the question with the name in lower case.
func (q *query) asked() []byte { return q.key[:len(q.key)-1] }

// parsePacket parses an ordinary query from a datagram: one question, and an OPT record or none. For any other packet
// it returns false, and the caller takes the slow path. The query keeps a reference to the datagram.
func (q *query) parsePacket(m []byte) bool {
	if len(m) < dnswire.HeaderSize+5 {
		return false
	}
	q.id, q.flags = binary.BigEndian.Uint16(m), dnswire.Flags(m)
	const ordinary = dnswire.FlagRD | dnswire.FlagAD | dnswire.FlagCD
	// one question, at most one record, in the additional section
	if q.flags&^ordinary != 0 || binary.BigEndian.Uint32(m[4:]) != 1<<16 || m[8]|m[9]|m[10] != 0 {
		return false
	}
	key, end := dnswire.AppendName(q.buf[:0], m, dnswire.HeaderSize)
	if end == 0 || end+4 > len(m) {
		return false
	}
	q.qtype, q.class = binary.BigEndian.Uint16(m[end:]), binary.BigEndian.Uint16(m[end+2:])
	q.question = m[dnswire.HeaderSize : end+4]
	if !q.parseEDNS(m[end+4:], m[11]) {
		return false
	}
	q.setKey(append(key, m[end:end+4]...))
	return true
}

// parseEDNS parses the part of a datagram after the question. It returns false unless this part is empty, or is a
// single OPT record that the fast path can process. The argument records is the number of additional records.
func (q *query) parseEDNS(m []byte, records byte) bool {
	q.edns, q.do, q.version, q.size = false, false, 0, dnswire.MinSize
	q.sentCookie, q.hasCookie, q.options, q.structured, q.nsid = nil, false, nil, false, ""
	if records == 0 {
		return len(m) == 0
	}
	opt, ok := dnswire.AsOPT(m)
	if !ok || records > 1 || opt.Rcode() != 0 || opt.Version() != 0 || opt.Length() != len(m)-dnswire.OPTSize {
		return false
	}
	if len(m) > dnswire.OPTSize && !q.parseOptions(m[dnswire.OPTSize:]) {
		return false
	}
	q.edns, q.do, q.size = true, opt.DO(), clientSize(opt.Size())
	return true
}

// parseOptions finds the first cookie among EDNS options. It returns false if the cookie has an invalid length or an
// option is truncated. All other options are ignored (RFC 6891, section 6.1.2).
func (q *query) parseOptions(options []byte) bool {
	q.options = options
	for len(options) > 0 {
		code, data, rest, ok := dnswire.NextOption(options)
		if !ok {
			return false
		}
		if code == dns.EDNS0COOKIE && q.sentCookie == nil {
			if !cookie.IsSize(len(data)) {
				return false
			}
			q.sentCookie = data
		}
		options = rest
	}
	return true
}

// parseMessage parses a message with one question. It returns false if the message is malformed.
func (q *query) parseMessage(msg *dns.Msg, stream bool) bool {
	q.id, q.size, q.flags = msg.Id, dnswire.MinSize, headerFlags(msg)
	if !q.parseOPT(msg.Extra) || len(msg.Question) != 1 || !isBare(msg) {
		return false
	}
	asked := msg.Question[0]
	q.class, q.qtype = asked.Qclass, asked.Qtype
	half := len(q.buf) / 2
	n, err := dns.PackDomainName(asked.Name, q.buf[half:], 0, nil, false)
	if err != nil {
		return false
	}
	tail := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, q.qtype), q.class)
	q.question = append(q.buf[half:half+n], tail...)
	key, err := blocklist.AppendName(q.buf[:0], asked.Name)
	q.setKey(append(key, tail...))
	if stream {
		q.size = dns.MaxMsgSize
	}
	return err == nil
}

// isBare reports whether the answer and authority sections of a query have no unexpected records. They should be empty.
// But an incremental transfer request (IXFR) may have records in the authority section (RFC 1995, section 3), and a
// message with another opcode than QUERY may have records in both sections.
func isBare(msg *dns.Msg) bool {
	transfer := msg.Question[0].Qtype == dns.TypeIXFR
	return msg.Opcode != dns.OpcodeQuery || len(msg.Answer) == 0 && (len(msg.Ns) == 0 || transfer)
}

// headerFlags returns the flags of a message that affect the answer.
func headerFlags(msg *dns.Msg) (flags uint16) {
	flags = uint16(msg.Opcode) << 11 & dnswire.MaskOpcode
	if msg.RecursionDesired {
		flags |= dnswire.FlagRD
	}
	if msg.AuthenticatedData {
		flags |= dnswire.FlagAD
	}
	if msg.CheckingDisabled {
		flags |= dnswire.FlagCD
	}
	return flags
}

// parseOPT parses the OPT record among the additional records. It returns false for a second OPT record, for another
// owner than the root (RFC 6891, section 6.1.1), or for a malformed cookie.
func (q *query) parseOPT(extra []dns.RR) bool {
	for _, rr := range extra {
		opt, ok := rr.(*dns.OPT)
		if !ok {
			continue
		}
		second := q.edns
		q.edns, q.do, q.version, q.size = true, opt.Do(), opt.Version(), clientSize(int(opt.UDPSize()))
		if second || opt.Hdr.Name != "." || !q.parseCookie(opt) {
			return false
		}
	}
	return true
}

// parseCookie parses the first cookie of an OPT record. It returns false if the cookie is malformed.
func (q *query) parseCookie(opt *dns.OPT) bool {
	for _, o := range opt.Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			sent, err := hex.DecodeString(c.Cookie)
			if err != nil || !cookie.IsSize(len(sent)) {
				return false
			}
			q.sentCookie = sent
			break
		}
	}
	return true
}

// clientSize returns the maximum size of an answer over UDP, in bytes. The argument is the size in the client's OPT
// record.
func clientSize(says int) int { return min(max(says, dnswire.MinSize), dnswire.UDPSize) }

// setKey sets the cache key: the given question, and a byte with the bits for DO and CD.
func (q *query) setKey(key []byte) {
	bits := byte(0)
	if q.do {
		bits |= keyDO
	}
	if q.flags&dnswire.FlagCD != 0 {
		bits |= keyCD
	}
	q.key = append(key, bits)
}

// copyTo copies what is needed to answer the query later. The copy shares no buffers with the original.
func (q *query) copyTo(to *query) {
	to.id, to.flags, to.class, to.qtype = q.id, q.flags, q.class, q.qtype
	to.edns, to.do, to.version, to.size = q.edns, q.do, q.version, q.size
	to.structured, to.nsid = q.structured, q.nsid
	to.allowed, to.client, to.counters = q.allowed, q.client, q.counters
	to.hasStale, to.keepalive, to.padded = q.hasStale, q.keepalive, q.padded
	to.resolvers, to.alias, to.zones, to.tap = q.resolvers, q.alias, q.zones, q.tap
	to.lack, to.restarts, to.lookedUp = q.lack, q.restarts, q.lookedUp
	to.sentCookie, to.options, to.hasCookie, to.cookie = nil, nil, q.hasCookie, q.cookie
	to.key = append(to.buf[:0], q.key...)
	half := len(to.buf) / 2
	to.question = append(to.buf[half:half], q.question...)
}

// overStream reports whether the query came over TCP or another stream, where the client's address can't be forged.
func (q *query) overStream() bool { return q.size > dnswire.UDPSize }

// check returns the rcode of a query that is refused before any lookup, or NOERROR.
func (q *query) check() int {
	if rcode := q.checkClass(); rcode != dns.RcodeSuccess || !isRefusedType(q.qtype) {
		return rcode
	}
	return dns.RcodeRefused
}

// checkClass checks the EDNS version and the class of a query. It returns the rcode of the refusal, or NOERROR.
func (q *query) checkClass() int {
	switch {
	case q.version != 0:
		return dns.RcodeBadVers
	case q.class != dns.ClassINET:
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// isRefusedType reports whether queries of a type are refused: zone transfers, and types that no record in a zone has.
func isRefusedType(t uint16) bool {
	switch t {
	case dns.TypeMAILA, dns.TypeMAILB, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG:
		return true
	}
	return isTransfer(t)
}

// isTransfer reports whether a type requests a zone transfer.
func isTransfer(t uint16) bool { return t == dns.TypeAXFR || t == dns.TypeIXFR }

// isService reports whether records of a type may have address hints for clients: SVCB and HTTPS (RFC 9460).
func isService(qtype uint16) bool { return qtype == dns.TypeSVCB || qtype == dns.TypeHTTPS }
