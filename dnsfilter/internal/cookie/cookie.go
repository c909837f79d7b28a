// Package cookie creates and verifies DNS server cookies (RFC 7873) in the interoperable format of RFC 9018.
package cookie

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
)

// Sizes of cookies, in bytes.
const (
	ClientSize = 8
	Size       = 24 // client cookie and our server cookie (version, reserved, time, hash)
	maxSize    = 40 // client cookie and the longest server cookie
)

// Ages of server cookies, in seconds (RFC 9018, section 4.3).
const (
	lifetime = 3600 // maximum age of a valid server cookie
	renewal  = 1800 // a valid server cookie of this age is replaced by a new one
	maxAhead = 300  // maximum time by which a timestamp may be in the future, since another server's clock may be ahead
)

const version = 1

// Secret is the key with which server cookies are created and verified.
type Secret [16]byte

// Cookie is a client cookie followed by a server cookie.
type Cookie [Size]byte

// NewSecret creates a random secret.
func NewSecret() (s Secret) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// IsSize reports whether a cookie in a query may have n bytes (RFC 7873, section 5.2.2).
func IsSize(n int) bool { return n == ClientSize || n >= 2*ClientSize && n <= maxSize }

// Verify reports whether a cookie from a client has a valid server cookie: one that was created for the address of the
// client, with one of the secrets. A valid server cookie proves that the client receives packets at that address.
// Verify also reports whether the cookie has to be replaced, since it is invalid or old, or was not created with the
// first secret. The time now is in Unix seconds.
func Verify(secrets []Secret, cookie []byte, client netip.Addr, now uint32) (valid, replace bool) {
	if len(cookie) != Size || cookie[ClientSize] != version {
		return false, true
	}
	age := int32(now - binary.BigEndian.Uint32(cookie[12:]))
	if age > lifetime || age < -maxAhead {
		return false, true
	}
	for i := range secrets {
		if sum := secrets[i].hash(cookie[:Size-8], client); subtle.ConstantTimeCompare(sum[:], cookie[Size-8:]) == 1 {
			return true, i > 0 || age >= renewal
		}
	}
	return false, true
}

// Make creates the cookie for a client: the client cookie, with which the argument cookie begins, and a server cookie.
// The time now is in Unix seconds.
func (s *Secret) Make(cookie []byte, client netip.Addr, now uint32) (c Cookie) {
	copy(c[:ClientSize], cookie)
	c[ClientSize] = version
	binary.BigEndian.PutUint32(c[12:], now)
	sum := s.hash(c[:Size-8], client)
	copy(c[Size-8:], sum[:])
	return c
}

// hash returns the hash in a server cookie. It covers the client's address, and the part of the cookie before the hash
// (head).
func (s *Secret) hash(head []byte, client netip.Addr) (sum [8]byte) {
	var buf [2*ClientSize + 16]byte
	m := append(buf[:0], head...)
	if client = client.Unmap(); client.Is4() {
		a := client.As4()
		m = append(m, a[:]...)
	} else {
		a := client.As16()
		m = append(m, a[:]...)
	}
	binary.LittleEndian.PutUint64(sum[:], sum64((*[16]byte)(s), m))
	return sum
}
