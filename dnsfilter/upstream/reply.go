package upstream

import "encoding/binary"

// Parts of a message (RFC 1035, section 4.1.1).
const (
	headerSize          = 12
	flagQR              = 0x80 // in its third byte
	flagTC              = 0x02
	maskOpcode          = 0x78
	maskRcode           = 0x0f // in its fourth byte
	rcodeFormatError    = 1
	rcodeNameError      = 3
	rcodeNotImplemented = 4
	rcodeNameExists     = 6 // a name that DNAME makes too long (RFC 6672, section 2.2)
	typeOPT             = 41
	optSize             = 11   // of an OPT record without options
	flagDO              = 0x80 // in its eighth byte
	optionPadding       = 12
)

// answers reports whether reply is an answer to the question of query; case does not count. The id and the
// spelling are yet to be compared.
func answers(reply, query []byte) bool {
	end := questionEnd(query)
	if end == 0 || len(reply) < end || reply[2]&(flagQR|maskOpcode) != flagQR|query[2]&maskOpcode || binary.BigEndian.Uint16(reply[4:]) != 1 {
		return false
	}
	for i := headerSize; i < end-4; i++ {
		if lower(reply[i]) != lower(query[i]) {
			return false
		}
	}
	return string(reply[end-4:end]) == string(query[end-4:end])
}

func replyID(reply []byte) uint16 { return binary.BigEndian.Uint16(reply) }

// isBareFailure reports whether reply is a failure without a question, of a resolver that could not read the query, or did not
// want to.
func isBareFailure(reply, query []byte) bool {
	return reply[2]&(flagQR|maskOpcode) == flagQR|query[2]&maskOpcode && reply[4]|reply[5] == 0 && reply[3]&maskRcode != 0
}

// fails reports whether a reply says nothing of the name: neither what it has nor that it does not exist.
func fails(reply []byte) bool {
	switch reply[3] & maskRcode {
	case 0:
		return extended(reply) != 0
	case rcodeNameError, rcodeNameExists:
		return false
	}
	return true
}

// extended returns the upper bits of the rcode (RFC 6891, section 6.1.3) of a reply that has an OPT record and nothing else.
func extended(reply []byte) byte {
	if reply[5] != 1 || reply[6]|reply[7]|reply[8]|reply[9]|reply[10] != 0 || reply[11] != 1 {
		return 0
	}
	if end := questionEnd(reply); end != 0 && isOPT(reply[end:]) {
		return reply[end+5]
	}
	return 0
}

// isOPT reports whether m begins with an OPT record.
func isOPT(m []byte) bool { return len(m) >= optSize && m[0]|m[1] == 0 && m[2] == typeOPT }

// refusesEDNS reports whether a reply may be a failure because the query had an OPT record (RFC 6891, section 7).
func refusesEDNS(reply []byte) bool {
	switch reply[3] & maskRcode {
	case rcodeFormatError, rcodeNotImplemented:
		return true
	case 0:
		return extended(reply) != 0 // BADVERS
	}
	return false
}

// mayGoBare reports whether a query of our own has an OPT record that it may do without: one that does not have the DO bit.
func mayGoBare(query []byte) bool {
	end := questionEnd(query)
	return end != 0 && query[11] == 1 && isOPT(query[end:]) && query[end+7]&flagDO == 0
}

// withoutEDNS appends a query of our own without its OPT record.
func withoutEDNS(dst, query []byte) []byte {
	dst = append(dst, query[:questionEnd(query)]...)
	dst[11] = 0
	return dst
}

// questionEnd returns where the question of a query of our own ends; 0 if there is none.
func questionEnd(query []byte) int {
	off := headerSize
	for off < len(query) && query[off] != 0 {
		off += 1 + int(query[off])
	}
	if off+5 > len(query) {
		return 0
	}
	return off + 5
}

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}
