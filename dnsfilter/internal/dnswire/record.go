package dnswire

import (
	"encoding/binary"
	"iter"

	"github.com/miekg/dns"
)

// recordHeader is the total size of the type, class, TTL and data length of a record, in bytes.
const recordHeader = 10

// Record is one record of a packed message. TTL and Data share the memory of the message.
type Record struct {
	Section Section
	Type    uint16
	Owner   int // offset of the owner name
	At      int // offset of the data
	TTL     []byte
	Data    []byte
}

// End returns the offset after the record.
func (r *Record) End() int { return r.At + len(r.Data) }

// IsInternet reports whether the class of the record is IN.
func (r *Record) IsInternet(m []byte) bool { return Uint16(m, r.At-recordHeader+2) == dns.ClassINET }

// Covers reports whether an RRSIG record covers a type.
func (r *Record) Covers(rrtype uint16) bool {
	return len(r.Data) > 2 && binary.BigEndian.Uint16(r.Data) == rrtype
}

// Records yields the records of a packed message. It stops where the message is truncated.
func Records(m []byte) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		answers, authority, additional := Count(m, Answer), Count(m, Authority), Count(m, Additional)
		off := HeaderSize
		for range Count(m, Question) {
			off = SkipName(m, off) + 4
		}
		for i := range answers + authority + additional {
			owner := off
			off = SkipName(m, off)
			if off+recordHeader > len(m) {
				return
			}
			end := off + recordHeader + Uint16(m, off+8)
			if end > len(m) {
				return
			}
			r := Record{
				Section: Answer, Type: binary.BigEndian.Uint16(m[off:]), Owner: owner, At: off + recordHeader,
				TTL: m[off+4 : off+8], Data: m[off+recordHeader : end],
			}
			if i >= answers {
				r.Section = Authority
			}
			if i >= answers+authority {
				r.Section = Additional
			}
			if !yield(r) {
				return
			}
			off = end
		}
	}
}

// CheckRecord returns the type of the record at an offset, and the offset after it, or 0 if the record is malformed. It
// checks the owner name, and the data of types with a fixed length or with names that may be compressed.
func CheckRecord(m []byte, off int) (rrtype uint16, next int) {
	off = CheckName(m, off)
	if off == 0 || off+recordHeader > len(m) {
		return 0, 0
	}
	rrtype, next = binary.BigEndian.Uint16(m[off:]), off+recordHeader+Uint16(m, off+8)
	if next > len(m) || !checkData(m[:next], off+recordHeader, rrtype) {
		return 0, 0
	}
	return rrtype, next
}

func checkData(m []byte, off int, rrtype uint16) bool {
	switch rrtype {
	case dns.TypeA:
		return len(m) == off+4
	case dns.TypeAAAA:
		return len(m) == off+16
	case dns.TypeCNAME, dns.TypeNS, dns.TypePTR, dns.TypeDNAME:
		return CheckName(m, off) == len(m)
	case dns.TypeMX:
		return CheckName(m, off+2) == len(m)
	case dns.TypeSRV:
		return CheckName(m, off+6) == len(m)
	case dns.TypeSOA:
		off = CheckName(m, off)
		return off != 0 && CheckName(m, off)+20 == len(m)
	}
	return true
}
