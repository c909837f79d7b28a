// Package dnswire reads and writes parts of DNS messages in wire format (RFC 1035, section 4): the header, names,
// records, and EDNS options. It works in place and does not allocate. The fast path uses it instead of
// github.com/miekg/dns.
package dnswire

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// Sizes in bytes.
const (
	HeaderSize = 12
	MinSize    = 512 // maximum message size over UDP without EDNS
	// UDPSize is the maximum size of a message sent over UDP. It passes every network without fragmentation (DNS flag
	// day 2020).
	UDPSize  = 1232
	MaxName  = 255 // maximum size of a name, including the root label
	MaxLabel = 63
)

// Bits of the second word of the header (RFC 1035, section 4.1.1; RFC 4035, section 3.1.6).
const (
	FlagQR     = 1 << 15
	FlagAA     = 1 << 10
	FlagTC     = 1 << 9
	FlagRD     = 1 << 8
	FlagRA     = 1 << 7
	FlagAD     = 1 << 5
	FlagCD     = 1 << 4
	MaskRcode  = 15
	MaskOpcode = 15 << 11
)

// Section is a section of a message.
type Section uint8

// The sections of a message, in the order of the counts in its header.
const (
	Question Section = iota
	Answer
	Authority
	Additional
)

// Uint16 returns the 16-bit number at an offset.
func Uint16(m []byte, off int) int { return int(binary.BigEndian.Uint16(m[off:])) }

// Flags returns the second word of the header, with the flags, the opcode and the rcode.
func Flags(m []byte) uint16 { return binary.BigEndian.Uint16(m[2:]) }

// SetFlags replaces the second word of the header, with the flags, the opcode and the rcode.
func SetFlags(m []byte, flags uint16) { binary.BigEndian.PutUint16(m[2:], flags) }

// Rcode returns the rcode in the header: the lower four bits of an extended rcode.
func Rcode(m []byte) int { return int(m[3] & MaskRcode) }

// SetRcode sets the rcode in the header: the lower four bits of an extended rcode.
func SetRcode(m []byte, rcode int) { m[3] = m[3]&^MaskRcode | byte(rcode) }

// IsTruncated reports whether the TC bit is set.
func IsTruncated(m []byte) bool { return m[2]&(FlagTC>>8) != 0 }

// Truncate sets the TC bit.
func Truncate(m []byte) { m[2] |= FlagTC >> 8 }

// IsResponse reports whether the QR bit is set.
func IsResponse(m []byte) bool { return m[2]&(FlagQR>>8) != 0 }

// IsFailure reports whether the rcode in the header is a failure, which says nothing about the name. All rcodes are
// failures except NOERROR, NXDOMAIN (RFC 8767, section 4), and YXDOMAIN, which says that a DNAME record makes the name
// too long (RFC 6672, section 2.2).
func IsFailure(m []byte) bool {
	switch Rcode(m) {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeYXDomain:
		return false
	}
	return true
}

// Count returns the number of questions or records in a section, according to the header.
func Count(m []byte, s Section) int { return Uint16(m, 4+2*int(s)) }

// SetCount sets the number of questions or records in a section, in the header.
func SetCount(m []byte, s Section, n int) { binary.BigEndian.PutUint16(m[4+2*int(s):], uint16(n)) }

// QuestionEnd returns the offset after the first question, or 0 if the question is truncated.
func QuestionEnd(m []byte) int {
	end := SkipName(m, HeaderSize) + 4
	if end > len(m) {
		return 0
	}
	return end
}
