package upstream

import "encoding/binary"

// Parts of a message (RFC 1035, section 4.1.1).
const (
	headerSize     = 12
	flagQR         = 0x80 // in its third byte
	flagTC         = 0x02
	maskOpcode     = 0x78
	maskRcode      = 0x0f // in its fourth byte
	rcodeNameError = 3
	typeOPT        = 41
	optionPadding  = 12
)

// answers tells whether reply is an answer to the question of query; case does not count. The id and the
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

// fails tells whether a reply says nothing of the name: neither what it has nor that it does not exist.
func fails(reply []byte) bool {
	rcode := reply[3] & maskRcode
	return rcode != 0 && rcode != rcodeNameError
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
