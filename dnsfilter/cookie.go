package dnsfilter

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/siphash"
)

// CookieSecret is what server cookies are made with (RFC 7873, RFC 9018). Servers that answer at the same address share it.
type CookieSecret [16]byte

// Sizes of cookies, in bytes.
const (
	clientCookie  = 8
	fullCookie    = 24 // of the client, and ours: version, reserved, time, hash
	longestCookie = 40 // of anybody's
)

// How old, in seconds, a cookie of ours may be, and when the client is given a new one (RFC 9018, section 4.3).
const (
	cookieLife  = 3600
	cookieRenew = 1800
	cookieAhead = 300 // made by a node whose clock is ahead
)

func newCookieSecret() (secret CookieSecret) {
	_, _ = rand.Read(secret[:]) // it never fails
	return secret
}

// hash returns what makes a cookie ours; head is all before it.
func (s *CookieSecret) hash(head []byte, client netip.Addr) (sum [8]byte) {
	var buf [2*clientCookie + 16]byte
	m := append(buf[:0], head...)
	if client = client.Unmap(); client.Is4() {
		a := client.As4()
		m = append(m, a[:]...)
	} else {
		a := client.As16()
		m = append(m, a[:]...)
	}
	binary.LittleEndian.PutUint64(sum[:], siphash.Sum64((*[16]byte)(s), m))
	return sum
}

// stampCookie makes the cookie for the answer to a query that came with one, and reports whether the one that came proves
// that the client gets what is sent to its address.
func (q *query) stampCookie(secrets []CookieSecret, client netip.Addr, now uint32) (proven bool) {
	q.stamped = true
	sent, hash := q.sentCookie, q.cookie[fullCookie-8:]
	if len(sent) == fullCookie && sent[clientCookie] == 1 {
		age := int32(now - binary.BigEndian.Uint32(sent[12:]))
		for i := range secrets {
			sum := secrets[i].hash(sent[:fullCookie-8], client)
			if age > cookieLife || age < -cookieAhead || subtle.ConstantTimeCompare(sum[:], sent[fullCookie-8:]) == 0 {
				continue
			}
			if proven = true; i == 0 && age < cookieRenew {
				copy(q.cookie[:], sent)
				return proven
			}
		}
	}
	copy(q.cookie[:clientCookie], sent)
	q.cookie[clientCookie] = 1
	clear(q.cookie[clientCookie+1 : 12])
	binary.BigEndian.PutUint32(q.cookie[12:], now)
	sum := secrets[0].hash(q.cookie[:fullCookie-8], client)
	copy(hash, sum[:])
	return proven
}

// cookieOption returns how many bytes the cookie takes in the answer.
func (q *query) cookieOption() int {
	if q.stamped {
		return 4 + fullCookie
	}
	return 0
}

// isCookie reports whether what a query has for a cookie has the length of one (RFC 7873, section 5.2.2).
func isCookie(n int) bool { return n == clientCookie || n >= 2*clientCookie && n <= longestCookie }

// readOptions takes the first cookie of a query's options; false means that it is none, or that an option is cut. What else there
// is means nothing here (RFC 6891, section 6.1.2).
func (q *query) readOptions(options []byte) bool {
	q.options = options
	for len(options) > 0 {
		code, data, rest, ok := nextOption(options)
		if !ok {
			return false
		}
		if code == dns.EDNS0COOKIE && q.sentCookie == nil {
			if !isCookie(len(data)) {
				return false
			}
			q.sentCookie = data
		}
		options = rest
	}
	return true
}

// nextOption takes the first of some options; false means that it is cut.
func nextOption(options []byte) (code uint16, data, rest []byte, ok bool) {
	if len(options) < 4 || 4+count(options, 2) > len(options) {
		return 0, nil, nil, false
	}
	end := 4 + count(options, 2)
	return binary.BigEndian.Uint16(options), options[4:end], options[end:], true
}

// hasOption reports whether there is an option with a code.
func hasOption(options []byte, code uint16) bool {
	for len(options) > 0 {
		c, _, rest, ok := nextOption(options)
		if !ok || c == code {
			return ok
		}
		options = rest
	}
	return false
}

// parseCookie takes the first cookie; false means that it is none.
func (q *query) parseCookie(opt *dns.OPT) bool {
	for _, o := range opt.Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			sent, err := hex.DecodeString(c.Cookie)
			if err != nil || !isCookie(len(sent)) {
				return false
			}
			q.sentCookie = sent
			break
		}
	}
	return true
}
