package rpz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// maxTransfers is the maximum number of concurrent transfers of a zone.
const maxTransfers = 100

// request is a query for the zone itself from a secondary.
type request struct {
	msg    dns.Msg
	raw    []byte
	client netip.Addr
	stream bool
}

// allows reports whether a client may copy the zone.
func (c *Config) allows(client netip.Addr) bool {
	client = client.Unmap()
	return slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(client) })
}

// SOA implements [dnsfilter.PrimaryZone]. It returns the zone's SOA record without its owner name (type, class, TTL,
// length and data). If the client may not copy the zone, or if the zone has no records yet, it returns nil and an
// rcode.
func (z *Zone) SOA(client netip.Addr) (record []byte, rcode int) {
	c, s := z.config.Load(), z.current.Load()
	switch {
	case !c.allows(client) || len(c.Keys) > 0:
		z.refused(client, "SOA", false, dns.RcodeRefused, dns.RcodeSuccess)
		return nil, dns.RcodeRefused
	case s == nil:
		return nil, dns.RcodeServerFailure
	}
	return soa(s.Serial), dns.RcodeSuccess
}

// Transfer implements [dnsfilter.PrimaryZone]. It answers a transfer request, or any signed query. The argument stream
// is true over TCP, and false over UDP. Transfer calls send with one message at a time, which is valid until send
// returns. If send fails, the transfer ends.
func (z *Zone) Transfer(packet []byte, client netip.Addr, stream bool, send func([]byte) error) {
	q := &request{raw: packet, client: client, stream: stream}
	end := dnswire.QuestionEnd(packet)
	if end == 0 || q.msg.Unpack(packet) != nil || len(q.msg.Question) != 1 {
		return
	}
	r := newReply(packet[:end], q.msg.IsEdns0() != nil, send)
	rcode := z.admit(q, r)
	s := z.current.Load()
	if rcode == dns.RcodeSuccess && s == nil {
		rcode = dns.RcodeServerFailure
	}
	if rcode == dns.RcodeSuccess {
		rcode = z.answer(q, s, r)
	}
	if rcode != dns.RcodeSuccess {
		z.refuse(q, r, rcode)
	}
}

// refuse sends a reply with an rcode and without records.
func (z *Zone) refuse(q *request, r *reply, rcode int) {
	z.refused(q.client, dns.TypeToString[q.msg.Question[0].Qtype], q.msg.IsTsig() != nil, rcode, r.tsigError)
	r.reset()
	dnswire.SetRcode(r.buf, rcode)
	_ = r.flush() // the client may have gone away
}

// admit checks the address, the signature and the zone of a request. It returns NOERROR, or the rcode of the refusal.
func (z *Zone) admit(q *request, r *reply) int {
	c := z.config.Load()
	t := q.msg.IsTsig()
	switch {
	case !c.allows(q.client), t == nil && len(c.Keys) > 0:
		return dns.RcodeRefused
	case t != nil:
		if r.signer, r.tsigError = verify(c.Keys, q.raw, t); r.tsigError != dns.RcodeSuccess {
			r.unsigned = t
			return dns.RcodeNotAuth
		}
	}
	asked := q.msg.Question[0]
	if name, err := blocklist.ParseName(asked.Name); err != nil || name != z.name || asked.Qclass != dns.ClassINET {
		return dns.RcodeNotAuth
	}
	return dns.RcodeSuccess
}

// answer sends the answer to an admitted request, and returns NOERROR. If it has sent nothing, it returns the rcode to
// refuse with.
func (z *Zone) answer(q *request, s *snapshot, r *reply) int {
	switch q.msg.Question[0].Qtype {
	case dns.TypeAXFR:
		if !q.stream {
			return dns.RcodeRefused // RFC 5936, section 4.2
		}
		return z.transfer(r, "axfr", func() error { return s.sendAll(r) })
	case dns.TypeIXFR:
		return z.answerIXFR(q, s, r)
	}
	for _, d := range s.top() {
		if d.rrtype() == q.msg.Question[0].Qtype {
			r.add(d)
		}
	}
	if r.records == 0 {
		r.add(soa(s.Serial))
		r.inAuthority = true
	}
	_ = r.flush() // the client may have gone away
	return dns.RcodeSuccess
}

// answerIXFR sends the changes since the client's serial, or the whole zone if the journal does not have these changes,
// and returns NOERROR. If nothing has changed, or over UDP, it sends the SOA record only. After that answer over UDP,
// the client asks again over TCP (RFC 1995, section 2). If answerIXFR has sent nothing, it returns the rcode to refuse
// with.
func (z *Zone) answerIXFR(q *request, s *snapshot, r *reply) int {
	var has *dns.SOA
	for _, rr := range q.msg.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			has = soa
		}
	}
	switch {
	case has == nil:
		return dns.RcodeFormatError
	case !newer(s.Serial, has.Serial) || !q.stream:
		r.add(soa(s.Serial))
		_ = r.flush() // the client may have gone away
		return dns.RcodeSuccess
	}
	first := slices.IndexFunc(s.Journal, func(d difference) bool { return d.From == has.Serial })
	if first < 0 {
		return z.transfer(r, "axfr", func() error { return s.sendAll(r) })
	}
	return z.transfer(r, "ixfr", func() error { return s.sendChanges(r, s.Journal[first:]) })
}

// transfer runs a transfer, counts it, and returns NOERROR. If it has sent nothing, it returns REFUSED if there are too
// many transfers already, or SERVFAIL if the journal no longer has the changes.
func (z *Zone) transfer(r *reply, kind string, send func() error) int {
	defer z.running.Add(-1)
	if z.running.Add(1) > maxTransfers {
		return dns.RcodeRefused
	}
	err := send()
	if errors.Is(err, fs.ErrNotExist) && r.sent == 0 { // the journal is newer, and has dropped what was asked for
		return dns.RcodeServerFailure
	}
	z.count(func(n *counts) {
		switch {
		case err != nil:
			n.Failed++
		case kind == "axfr":
			n.Full++
		default:
			n.Incremental++
		}
		n.Bytes += r.sent
	})
	if err != nil {
		z.log().Warn("a transfer has failed", slog.String("kind", kind), slog.Any("error", err))
	}
	return dns.RcodeSuccess
}

// sendAll sends the whole zone (RFC 5936).
func (s *snapshot) sendAll(r *reply) error {
	w := s.walk()
	for _, d := range s.top() {
		r.add(d)
	}
	for {
		o, err := w.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, d := range s.Verdicts[o.verdict].Records {
			if err := r.addOwner(o, d); err != nil {
				return err
			}
		}
	}
	r.add(soa(s.Serial))
	return r.flush()
}

// sendChanges sends differences as an incremental transfer (RFC 1995, section 4).
func (s *snapshot) sendChanges(r *reply, changes []difference) error {
	r.add(soa(s.Serial))
	for _, d := range changes {
		removed, added, err := s.readDifference(d)
		if err != nil {
			return err
		}
		for _, top := range serialRecords(d.From, d.FromDigest) {
			r.add(top)
		}
		if err := r.addPacked(removed); err != nil {
			return err
		}
		for _, top := range serialRecords(d.To, d.ToDigest) {
			r.add(top)
		}
		if err := r.addPacked(added); err != nil {
			return err
		}
	}
	r.add(soa(s.Serial))
	return r.flush()
}

// readDifference reads the file of a difference. It returns the removed and the added records in wire form.
func (s *snapshot) readDifference(d difference) (removed, added []byte, err error) {
	b, err := os.ReadFile(filepath.Join(s.dir, filepath.Base(d.File)))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(b)) != d.Size || len(b) < 4 || int(binary.BigEndian.Uint32(b)) > len(b)-4 {
		return nil, nil, fmt.Errorf("reading %s: %w", d.File, blocklist.ErrDamaged)
	}
	n := int(binary.BigEndian.Uint32(b))
	return b[4 : 4+n], b[4+n:], nil
}
