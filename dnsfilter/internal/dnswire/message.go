// Package dnswire reads and writes parts of DNS messages in wire format (RFC 1035, section 4) in place, without
// allocating: the header, names, records, and EDNS options. It is the fast path's counterpart of github.com/miekg/dns.
package dnswire

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// Sizes in bytes. 1232 bytes pass every network in one piece (DNS flag day 2020).
const (
	HeaderSize = 12
	MinSize    = 512  // of a message that every client and resolver accepts over UDP
	UDPSize    = 1232 // the most that is sent over UDP
	MaxName    = 255  // of a name, the root's label included
	MaxLabel   = 63
)

// Bits of the second word of the header (RFC 1035, section 4.1.1; RFC 4035, section 3.1.6).
const (
	FlagQR     = 1 << 15
	FlagTC     = 1 << 9
	FlagRD     = 1 << 8
	FlagRA     = 1 << 7
	FlagAD     = 1 << 5
	FlagCD     = 1 << 4
	MaskRcode  = 15
	MaskOpcode = 15 << 11
)

// Section is a part of a message.
type Section uint8

// The sections, in the order of the header's counts.
const (
	Question Section = iota
	Answer
	Authority
	Additional
)

// Uint16 returns the 16 bits at an offset.
func Uint16(m []byte, off int) int { return int(binary.BigEndian.Uint16(m[off:])) }

// Flags returns the flags of the header.
func Flags(m []byte) uint16 { return binary.BigEndian.Uint16(m[2:]) }

// SetFlags replaces the flags of the header.
func SetFlags(m []byte, flags uint16) { binary.BigEndian.PutUint16(m[2:], flags) }

// Rcode returns the four bits of the response code that the header has.
func Rcode(m []byte) int { return int(m[3] & MaskRcode) }

// SetRcode replaces the four bits of the response code that the header has.
func SetRcode(m []byte, rcode int) { m[3] = m[3]&^MaskRcode | byte(rcode) }

// IsTruncated reports whether the bit TC is set.
func IsTruncated(m []byte) bool { return m[2]&(FlagTC>>8) != 0 }

// Truncate sets the bit TC.
func Truncate(m []byte) { m[2] |= FlagTC >> 8 }

// IsResponse reports whether the bit QR is set.
func IsResponse(m []byte) bool { return m[2]&(FlagQR>>8) != 0 }

// IsFailure reports whether the rcode of the header says nothing of the name: neither what it has nor that it does not
// exist (RFC 8767, section 4), nor that a DNAME record makes it too long (RFC 6672, section 2.2).
func IsFailure(m []byte) bool {
	switch Rcode(m) {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeYXDomain:
		return false
	}
	return true
}

// Count returns the number of entries that the header says a section has.
func Count(m []byte, s Section) int { return Uint16(m, 4+2*int(s)) }

// SetCount replaces the number of entries of a section.
func SetCount(m []byte, s Section, n int) { binary.BigEndian.PutUint16(m[4+2*int(s):], uint16(n)) }

// QuestionEnd returns where the first question ends; 0 if it breaks off.
func QuestionEnd(m []byte) int {
	end := SkipName(m, HeaderSize) + 4
	if end > len(m) {
		return 0
	}
	return end
}
