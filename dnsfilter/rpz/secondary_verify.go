package rpz

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// maxUnsigned is the maximum number of consecutive messages without a signature (RFC 8945, section 5.3.1). The next
// signature covers these messages, too.
const maxUnsigned = 99

// errSignature is wrapped by the errors about a primary's signatures. Their texts begin with its text.
var errSignature = errors.New("the signature (TSIG) of the primary")

// verifier verifies the signatures of the messages of one answer (RFC 8945, sections 5.3 and 5.3.1).
type verifier struct {
	key      *Key
	sum      hash.Hash // hash of the last MAC and of the messages after it
	later    bool      // an earlier message had a valid signature
	unsigned int       // number of messages since the last signature
}

// newVerifier creates a verifier for the answer to a signed request. The argument mac is the MAC of the request, in
// hexadecimal.
func newVerifier(k *Key, mac string) *verifier {
	v := &verifier{key: k, sum: k.hash()}
	b, _ := hex.DecodeString(mac) // miekg/dns has encoded it
	v.begin(b)
	return v
}

// begin starts a new hash, with the previous MAC as its first input.
func (v *verifier) begin(mac []byte) {
	v.sum.Reset()
	v.sum.Write(binary.BigEndian.AppendUint16(nil, uint16(len(mac)))) // it never fails
	v.sum.Write(mac)
}

// message verifies the next message, whose TSIG record is t. If t is nil, the message is only added to the hash. That
// is an error for the first message, and if there are too many consecutive messages without a signature.
func (v *verifier) message(packet []byte, t *dns.TSIG) error {
	if t == nil {
		if v.unsigned++; !v.later || v.unsigned > maxUnsigned {
			return fmt.Errorf("%w is missing", errSignature)
		}
		v.sum.Write(packet)
		return nil
	}
	name, err := blocklist.ParseName(t.Hdr.Name)
	if err != nil || name != v.key.name || dns.CanonicalName(t.Algorithm) != v.key.algorithm {
		return fmt.Errorf("%w is of another key or algorithm", errSignature)
	}
	mac, err := hex.DecodeString(t.MAC)
	if err != nil {
		return fmt.Errorf("%w is malformed", errSignature)
	}
	v.sum.Write(signedPart(packet, t))
	v.sum.Write(v.variables(t))
	if !hmac.Equal(v.sum.Sum(nil), mac) {
		return fmt.Errorf("%w is wrong: do both sides have the same key?", errSignature)
	}
	if off := time.Since(time.Unix(int64(t.TimeSigned), 0)).Abs(); off > time.Duration(t.Fudge)*time.Second {
		return fmt.Errorf("%w is %s off: compare the clocks", errSignature, off.Round(time.Second))
	}
	v.begin(mac)
	v.later, v.unsigned = true, 0
	return nil
}

// signedPart returns a message as it was before its TSIG record was added.
func signedPart(packet []byte, t *dns.TSIG) []byte {
	m := append([]byte(nil), packet[:tsigStart(packet)]...)
	binary.BigEndian.PutUint16(m, t.OrigId)
	binary.BigEndian.PutUint16(m[10:], binary.BigEndian.Uint16(m[10:])-1)
	return m
}

// variables returns the part of a TSIG record that the MAC covers: the TSIG variables (RFC 8945, section 4.3.3) for the
// first signature of an answer, and only the timers for later ones (section 5.3.1).
func (v *verifier) variables(t *dns.TSIG) []byte {
	times := binary.BigEndian.AppendUint16(timeBytes(t.TimeSigned), t.Fudge)
	if v.later {
		return times
	}
	algorithm, _ := blocklist.ParseName(v.key.algorithm)
	other, _ := hex.DecodeString(t.OtherData) // miekg/dns has encoded it
	out := append([]byte(v.key.name), 0, dns.ClassANY, 0, 0, 0, 0)
	out = append(append(out, algorithm...), times...)
	out = binary.BigEndian.AppendUint16(out, t.Error)
	return append(binary.BigEndian.AppendUint16(out, uint16(len(other))), other...)
}

// end returns an error if the last message had no signature.
func (v *verifier) end() error {
	if v.unsigned > 0 || !v.later {
		return fmt.Errorf("%w is missing at the end", errSignature)
	}
	return nil
}

// tsigText explains the error in a TSIG record.
func tsigText(code int) string {
	switch code {
	case dns.RcodeBadKey:
		return "BADKEY: the primary does not know the key, or has another algorithm for it"
	case dns.RcodeBadSig:
		return "BADSIG: the primary has another secret for the key"
	case dns.RcodeBadTime:
		return "BADTIME: the clocks of both sides differ by more than five minutes"
	}
	return dns.RcodeToString[code]
}
