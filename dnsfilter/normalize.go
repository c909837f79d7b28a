package dnsfilter

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// errReply is returned for what is no well-formed answer.
var errReply = fmt.Errorf("the upstream's answer is %w", blocklist.ErrMalformed)

// resolve gets the answer from the upstream; nil means that nothing is to be sent.
func (s *Server) resolve(c *course, q *query) []byte {
	done := make(chan []byte, 1)
	at, ok := s.join(q, waiter{done: done})
	if !ok {
		return nil
	}
	if at != nil && at.begin(c, c.session) {
		c.session.Flush()
	}
	return <-done
}

// maxForward is the longest query to an upstream, in bytes: header, question, OPT.
const maxForward = headerSize + blocklist.MaxName + 4 + 11

// forward is the query to the upstream: nothing of the client's but the question and what it is told apart by. AD asks to
// be told whether the answer was validated (RFC 6840, section 5.7).
func (q *query) forward() (*dns.Msg, error) {
	name, _, err := dns.UnpackDomainName(q.name(), 0)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	m.SetQuestion(name, q.qtype)
	m.AuthenticatedData, m.CheckingDisabled = true, q.flags&flagCD != 0
	return m.SetEdns0(udpSize, q.do), nil
}

// appendForward appends what forward returns, packed. The session sets the ID.
func (q *query) appendForward(dst []byte) []byte {
	flags := q.flags&flagCD | flagRD | flagAD
	dst = append(dst, 0, 0, byte(flags>>8), byte(flags), 0, 1, 0, 0, 0, 0, 0, 1)
	dst = append(dst, q.key[:len(q.key)-1]...)
	do := byte(0)
	if q.do {
		do = 1 << 7
	}
	return append(dst, 0, 0, byte(dns.TypeOPT), udpSize>>8, udpSize&0xff, 0, 0, do, 0, 0, 0)
}

// adopt makes a body of a packed reply to the question of a key, in its memory if it can. It checks that every record is where it is
// said to be and that every name ends, and leaves what answers the question: see scrub.
func adopt(m, key []byte) ([]byte, error) {
	key = key[:len(key)-1]
	off := headerSize + len(key)
	if !isWhole(m, off) {
		return nil, errReply
	}
	copy(m[headerSize:], key)
	copy(m, "\x00\x00")
	end, extra, made := off, 0, false
	total := count(m, 6) + count(m, 8) + count(m, 10)
	for i := range total {
		if i == total-count(m, 10) {
			extra = end
		}
		rrtype, next := checkRecord(m, end)
		if next == 0 || rrtype == dns.TypeOPT && extra == 0 { // it belongs to the additional section (RFC 6891, section 6.1.1)
			return nil, errReply
		}
		made = made || rrtype == dns.TypeDNAME
		respellRecord(m[:next], end, key[:len(key)-4], made && rrtype == dns.TypeCNAME)
		if rrtype == dns.TypeOPT {
			takeOPT(m, skipName(m, end), next)
		}
		end = next
	}
	if extra > 0 {
		end = extra
		binary.BigEndian.PutUint16(m[10:], 0)
	}
	if body, ok := trim(m[:end]); ok {
		return body, nil
	}
	return repack(m[:end])
}

// takeOPT takes over what the OPT record between two places, its name not counted, says of the answer: an rcode of more than four bits,
// and the first extended error.
func takeOPT(m []byte, at, end int) {
	binary.BigEndian.PutUint16(m, findEDE(m[at+10:end]))
	if m[at+4] != 0 {
		m[3] = m[3]&^maskRcode | dns.RcodeServerFailure
	}
}

// findEDE returns the first extended error among EDNS options plus one: what a body has in the place of its id. Zero means that there
// is none of those that are registered.
func findEDE(options []byte) uint16 {
	for len(options) > 0 {
		code, data, rest, ok := nextOption(options)
		if !ok {
			break
		}
		if code == dns.EDNS0EDE && len(data) >= 2 && data[0] == 0 && data[1] < 0xff {
			return uint16(data[1]) + 1
		}
		options = rest
	}
	return 0
}

// isWhole reports whether a reply has its question, which ends at off, and all of its answer: one that is cut even over TCP is not to be
// taken for the answer (RFC 2181, section 9).
func isWhole(m []byte, off int) bool {
	return len(m) >= off && count(m, 4) == 1 && m[2]&(flagTC>>8) == 0
}

// writesOut reports whether the name at off begins with a label, not with a pointer.
func writesOut(m []byte, off int) bool {
	return off < len(m) && m[off] != 0 && m[off] <= blocklist.MaxLabel
}

// respellRecord takes the random case that the upstream was asked in from the last record of m, at off. An alias that a DNAME record
// has made of the name asked for has letters of it in its target.
func respellRecord(m []byte, off int, name []byte, made bool) {
	if writesOut(m, off) {
		respell(m[off:], name)
	}
	if made {
		relabel(m[skipName(m, off)+10:], name)
	}
}

// respell gives an owner that is written out, and is the name asked for or one above it, the letters of that name: its own may be in
// the random case that the upstream was asked in.
func respell(owner, name []byte) {
	size := skipName(owner, 0)
	if size > min(len(owner), len(name)) {
		return
	}
	if name = name[len(name)-size:]; sameName(owner, name) {
		copy(owner, name)
	}
}

// relabel gives the first labels of a target those letters that they have in the name asked for.
func relabel(made, name []byte) {
	for len(made) > 0 && made[0] != 0 && made[0] == name[0] {
		size := 1 + int(made[0])
		if size > len(made) || !sameName(made, name[:size]) {
			return
		}
		copy(made, name[:size])
		made, name = made[size:], name[size:]
	}
}

// sameName reports whether what is as long as name is the same, but for the case of its letters.
func sameName(m, name []byte) bool {
	for i, c := range name {
		if x := c ^ m[i]; x != 0 && (x != 0x20 || (c|0x20)-'a' >= 26) {
			return false
		}
	}
	return true
}

// checkRecord returns the type of the record at off and where the next one begins; 0 if it is broken.
func checkRecord(m []byte, off int) (rrtype uint16, next int) {
	off = checkName(m, off)
	if off == 0 || off+10 > len(m) {
		return 0, 0
	}
	rrtype, next = binary.BigEndian.Uint16(m[off:]), off+10+count(m, off+8)
	if next > len(m) || !checkData(m[:next], off+10, rrtype) {
		return 0, 0
	}
	return rrtype, next
}

// checkData checks the data of those types whose length is fixed or whose names may be compressed.
func checkData(m []byte, off int, rrtype uint16) bool {
	switch rrtype {
	case dns.TypeA:
		return len(m) == off+4
	case dns.TypeAAAA:
		return len(m) == off+16
	case dns.TypeCNAME, dns.TypeNS, dns.TypePTR, dns.TypeDNAME:
		return checkName(m, off) == len(m)
	case dns.TypeMX:
		return checkName(m, off+2) == len(m)
	case dns.TypeSRV:
		return checkName(m, off+6) == len(m)
	case dns.TypeSOA:
		off = checkName(m, off)
		return off != 0 && checkName(m, off)+20 == len(m)
	}
	return true
}

// checkName returns where the name at off ends; 0 if it does not, is too long, or points forward.
func checkName(m []byte, off int) (end int) {
	for length := 1; off < len(m) && length <= blocklist.MaxName; {
		switch c := int(m[off]); {
		case c == 0:
			return max(end, off+1)
		case c > blocklist.MaxLabel:
			if c < 0xc0 || off+2 > len(m) {
				return 0
			}
			to := count(m, off) & 0x3fff
			if to >= off || to < headerSize {
				return 0
			}
			if end == 0 {
				end = off + 2
				m = m[:off] // whatever it points to ends before
			}
			off = to
		default:
			length += 1 + c
			off += 1 + c
		}
	}
	return 0
}

// repack makes a body of a reply whose records are not all that answers the question, in the order of the chain.
func repack(m []byte) ([]byte, error) {
	msg := new(dns.Msg)
	if err := msg.Unpack(m); err != nil {
		return nil, errReply
	}
	body, err := pack(msg.Question, msg)
	copy(body, m[:2])
	return body, err
}

// pack makes a body of the upstream's reply, under the question that was asked.
func pack(asked []dns.Question, reply *dns.Msg) ([]byte, error) {
	if reply.Truncated {
		return nil, errReply
	}
	m := dns.Msg{Question: asked, Compress: true}
	m.AuthenticatedData = reply.AuthenticatedData
	if m.Rcode = reply.Rcode; m.Rcode > maskRcode {
		m.Rcode = dns.RcodeServerFailure
	}
	m.Answer, m.Ns = scrub(asked[0], reply)
	for _, rr := range reply.Extra {
		m.Id = max(m.Id, extendedError(rr))
	}
	return m.Pack()
}

// extendedError is findEDE for an OPT record that was taken apart.
func extendedError(rr dns.RR) uint16 {
	if opt, ok := rr.(*dns.OPT); ok {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok && e.InfoCode < 0xff {
				return e.InfoCode + 1
			}
		}
	}
	return 0
}
