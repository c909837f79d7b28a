package dnswire

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// OPTSize is the size of an OPT record without options, in bytes (RFC 6891, section 6.1.2).
const OPTSize = 11

const (
	flagDO   = 0x80 // bit in the eighth byte of an OPT record
	optBytes = 4    // size of an option without its data, in bytes
)

// OPT is an OPT record in a packed message, with its options.
type OPT []byte

// AsOPT returns the OPT record that m begins with. It returns false if m begins with another record, or ends before the
// end of the options.
func AsOPT(m []byte) (OPT, bool) {
	return OPT(m), len(m) >= OPTSize && m[0]|m[1] == 0 && m[2] == byte(dns.TypeOPT)
}

// Size returns the maximum size of a UDP message that the sender accepts, in bytes.
func (o OPT) Size() int { return Uint16(o, 3) }

// Rcode returns the upper eight bits of the extended rcode.
func (o OPT) Rcode() int { return int(o[5]) }

// Version returns the version of EDNS.
func (o OPT) Version() uint8 { return o[6] }

// DO reports whether the DO bit is set, by which the sender requests DNSSEC records (RFC 3225).
func (o OPT) DO() bool { return o[7]&flagDO != 0 }

// Length returns the total size of the options, in bytes.
func (o OPT) Length() int { return Uint16(o, 9) }

// AppendOPT appends an OPT record, except for its options. The caller then has to append options of size bytes in
// total.
func AppendOPT(m []byte, rcode uint8, do bool, size int) []byte {
	flags := byte(0)
	if do {
		flags = flagDO
	}
	return append(m, 0, 0, byte(dns.TypeOPT), UDPSize>>8, UDPSize&0xff, rcode, 0, flags, 0, byte(size>>8), byte(size))
}

// NextOption splits the options into the first one (code and data) and the rest. It returns false if the first option
// is truncated.
func NextOption(options []byte) (code uint16, data, rest []byte, ok bool) {
	if len(options) < optBytes || optBytes+Uint16(options, 2) > len(options) {
		return 0, nil, nil, false
	}
	end := optBytes + Uint16(options, 2)
	return binary.BigEndian.Uint16(options), options[optBytes:end], options[end:], true
}

// HasOption reports whether the options include one with this code. It ignores options after a truncated one.
func HasOption(options []byte, code uint16) bool {
	for len(options) > 0 {
		c, _, rest, ok := NextOption(options)
		if !ok || c == code {
			return ok
		}
		options = rest
	}
	return false
}
