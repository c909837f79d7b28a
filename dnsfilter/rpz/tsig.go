package rpz

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC with SHA-1 is part of RFC 8945
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// fudge is the maximum difference between the time in a signature and the clock, in seconds.
const fudge = 300

// hash returns a new HMAC with the algorithm and secret of the key.
func (k *Key) hash() hash.Hash {
	secret, _ := base64.StdEncoding.DecodeString(k.secret) // the parser has checked it
	by := sha256.New
	switch k.algorithm {
	case dns.HmacSHA1:
		by = sha1.New
	case dns.HmacSHA224:
		by = sha256.New224
	case dns.HmacSHA384:
		by = sha512.New384
	case dns.HmacSHA512:
		by = sha512.New
	}
	return hmac.New(by, secret)
}

// signer signs the messages of one reply (RFC 8945, sections 5.3 and 5.3.1).
type signer struct {
	key   *Key
	mac   []byte // MAC of the request, then of the last message
	later bool   // an earlier message was signed
	id    uint16
	asked uint64 // time in the request's signature, in Unix seconds
	sum   hash.Hash
}

// verify verifies the signature of a request. It returns NOERROR or the TSIG error (BADKEY, BADSIG or BADTIME), and the
// signer of the reply, which is nil for BADKEY and BADSIG.
func verify(keys []Key, packet []byte, t *dns.TSIG) (*signer, int) {
	for i := range keys {
		k := &keys[i]
		name, err := blocklist.ParseName(t.Hdr.Name)
		if err != nil || name != k.name || dns.CanonicalName(t.Algorithm) != k.algorithm {
			continue
		}
		err = dns.TsigVerify(packet, k.secret, "", false)
		switch {
		case errors.Is(err, dns.ErrTime):
			return newSigner(k, t), dns.RcodeBadTime
		case err != nil:
			return nil, dns.RcodeBadSig
		}
		return newSigner(k, t), dns.RcodeSuccess
	}
	return nil, dns.RcodeBadKey
}

func newSigner(k *Key, t *dns.TSIG) *signer {
	mac, _ := hex.DecodeString(t.MAC) // miekg/dns has encoded it
	return &signer{key: k, mac: mac, id: t.OrigId, asked: t.TimeSigned, sum: k.hash()}
}

// sign appends a TSIG record to a message.
func (s *signer) sign(m []byte, tsigError uint16) []byte {
	now := uint64(time.Now().Unix())
	var other []byte
	if tsigError == dns.RcodeBadTime { // with the time of the client, and that of the server beside it
		other, now = timeBytes(now), s.asked
	}
	tail := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tsigError), uint16(len(other)))
	tail = append(tail, other...)
	algorithm, _ := blocklist.ParseName(s.key.algorithm)
	s.sum.Reset()
	write := func(b []byte) { s.sum.Write(b) } // it never fails
	write(binary.BigEndian.AppendUint16(nil, uint16(len(s.mac))))
	write(s.mac)
	write(m)
	times := binary.BigEndian.AppendUint16(timeBytes(now), fudge)
	if s.later {
		write(times)
	} else {
		write([]byte(s.key.name))
		write([]byte{0, dns.ClassANY, 0, 0, 0, 0})
		write([]byte(algorithm))
		write(times)
		write(tail)
	}
	s.mac, s.later = s.sum.Sum(s.mac[:0]), true
	return appendTSIG(m, s.key.name, algorithm, times, s.mac, s.id, tail)
}

func timeBytes(t uint64) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, uint16(t>>32)), uint32(t))
}

// appendTSIG appends a TSIG record to a message, and increments the count of additional records.
func appendTSIG(m []byte, key, algorithm blocklist.Name, times, mac []byte, id uint16, tail []byte) []byte {
	m = append(append(m, key...), 0, byte(dns.TypeTSIG), 0, dns.ClassANY, 0, 0, 0, 0)
	m = binary.BigEndian.AppendUint16(m, uint16(len(algorithm)+len(times)+2+len(mac)+2+len(tail)))
	m = append(append(m, algorithm...), times...)
	m = append(binary.BigEndian.AppendUint16(m, uint16(len(mac))), mac...)
	m = append(binary.BigEndian.AppendUint16(m, id), tail...)
	binary.BigEndian.PutUint16(m[10:], binary.BigEndian.Uint16(m[10:])+1)
	return m
}

// appendUnsigned appends a TSIG record without a MAC, which reports the error BADKEY or BADSIG.
func appendUnsigned(m []byte, t *dns.TSIG, tsigError int) []byte {
	key, err := blocklist.ParseName(t.Hdr.Name)
	algorithm, err2 := blocklist.ParseName(t.Algorithm)
	if err != nil || err2 != nil {
		return m
	}
	times := binary.BigEndian.AppendUint16(timeBytes(t.TimeSigned), t.Fudge)
	tail := binary.BigEndian.AppendUint16(nil, uint16(tsigError))
	return appendTSIG(m, key, algorithm, times, nil, t.OrigId, append(tail, 0, 0))
}
