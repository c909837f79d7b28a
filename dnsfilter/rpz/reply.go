package rpz

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// reply writes the messages of an answer to a secondary. Each message repeats the question. The owner names of all
// records end in a compression pointer to the name in the question.
type reply struct {
	head        []byte // header and question of each message
	edns        bool
	signer      *signer   // nil: the answer is not signed
	unsigned    *dns.TSIG // TSIG record of a request whose signature can't be verified; nil: none
	tsigError   int
	send        func([]byte) error
	buf         []byte
	records     int
	last        []byte // key of the last owner whose name is written in full
	lastAt      int    // offset of the name of last in the message; 0: it is not in this message
	inAuthority bool   // the records are in the authority section
	sent        uint64 // number of bytes sent
	err         error
}

// maxPointer is the first offset in a message that a compression pointer can't refer to.
const maxPointer = 1 << 14

// maxMessage is the maximum length of a message in a transfer, in bytes, without OPT and TSIG records. Each message
// costs one write and one signature.
const maxMessage = maxPointer

func newReply(head []byte, edns bool, send func([]byte) error) *reply {
	r := &reply{head: append([]byte(nil), head...), edns: edns, send: send}
	h := r.head
	dnswire.SetFlags(h, dnswire.FlagQR|dnswire.FlagAA|dnswire.Flags(h)&dnswire.FlagRD)
	for _, s := range []dnswire.Section{dnswire.Answer, dnswire.Authority, dnswire.Additional} {
		dnswire.SetCount(h, s, 0)
	}
	r.reset()
	return r
}

func (r *reply) reset() { r.buf, r.records, r.lastAt = append(r.buf[:0], r.head...), 0, 0 }

// add adds a record whose owner is the zone itself.
func (r *reply) add(d data) {
	start := len(r.buf)
	r.buf = append(append(r.buf, toZone...), d...)
	_ = r.added(start) // flush returns the error again
}

// addOwner adds a record of an owner. If the last owner name that is written in full in this message is the same, it
// writes a compression pointer to that name. It writes the wildcard below that name as an asterisk label and the
// pointer.
func (r *reply) addOwner(o *owner, d data) error {
	start := len(r.buf)
	if r.lastAt > 0 && bytes.Equal(o.key, r.last) {
		if o.below {
			r.buf = append(r.buf, 1, '*')
		}
		r.buf = append(r.buf, 0xc0|byte(r.lastAt>>8), byte(r.lastAt))
		r.buf = append(r.buf, d...)
		if len(r.buf) <= maxMessage {
			return r.added(start)
		}
		r.buf = r.buf[:start]
	}
	if !o.below && start < maxPointer {
		r.last, r.lastAt = append(r.last[:0], o.key...), start
	}
	r.buf = appendRecord(r.buf, o, d)
	return r.added(start)
}

// added counts the record that begins at offset start and was just appended. If the message is too long with it, added
// sends the message without it, and begins the next message with this record.
func (r *reply) added(start int) error {
	if len(r.buf) <= maxMessage || r.records == 0 {
		r.records++
		return r.err
	}
	record := append([]byte(nil), r.buf[start:]...)
	r.buf = r.buf[:start]
	moved := r.lastAt == start
	err := r.flush()
	if moved {
		r.lastAt = len(r.buf)
	}
	r.buf = append(r.buf, record...)
	r.records++
	return err
}

// addPacked adds records in wire form. The error is [blocklist.ErrDamaged] if the last one is incomplete.
func (r *reply) addPacked(b []byte) error {
	for len(b) > 0 {
		n := recordLength(b)
		if n == 0 {
			return fmt.Errorf("reading a difference: %w", blocklist.ErrDamaged)
		}
		start := len(r.buf)
		r.buf = append(r.buf, b[:n]...)
		if err := r.added(start); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// recordLength returns the length of the first record in b, or 0 if the record is incomplete. Its owner name has to end
// in toZone.
func recordLength(b []byte) int {
	i := 0
	for i < len(b) && b[i] < toZone[0] {
		i += 1 + int(b[i])
	}
	const fixed = len(toZone) + 10
	if i+fixed > len(b) {
		return 0
	}
	n := i + fixed + int(binary.BigEndian.Uint16(b[i+fixed-2:]))
	if n > len(b) {
		return 0
	}
	return n
}

// flush completes and sends the message, and begins the next one.
func (r *reply) flush() error {
	if r.err != nil {
		return r.err
	}
	section := dnswire.Answer
	if r.inAuthority {
		section = dnswire.Authority
	}
	dnswire.SetCount(r.buf, section, r.records)
	if r.edns {
		r.buf = dnswire.AppendOPT(r.buf, 0, false, 0)
		dnswire.SetCount(r.buf, dnswire.Additional, 1)
	}
	switch {
	case r.signer != nil:
		r.buf = r.signer.sign(r.buf, uint16(r.tsigError))
	case r.unsigned != nil:
		r.buf = appendUnsigned(r.buf, r.unsigned, r.tsigError)
	}
	r.err = r.send(r.buf)
	r.sent += uint64(len(r.buf))
	r.reset()
	return r.err
}
