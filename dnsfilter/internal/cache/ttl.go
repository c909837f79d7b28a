package cache

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Limits for how long answers are stored, in seconds, whatever the TTLs of their records (RFC 2308, sections 5 and 7.1;
// RFC 8767, section 4; RFC 9520, section 3.2).
const (
	maxTTL      = 24 * 3600
	negativeTTL = 3600
	holdDown    = 30 // time after the state HeldDown in which a refresh will probably fail, too
	FailureTTL  = 5  // storage time of a failure reply of the upstream
	NoAnswerTTL = 1  // storage time of the failure if the upstream sent no reply
)

// TTL returns how long to store an answer, in seconds; 0 means not at all. It also reduces the TTLs in the message: to
// at most a day, or to at most an hour in a negative answer. In a negative answer, it reduces the TTL of the SOA record
// to the MINIMUM field, so that it counts down to the end of the denial.
func TTL(m []byte) uint32 {
	shortest, most, negative := uint32(maxTTL), uint32(maxTTL), false
	for r := range dnswire.Records(m) {
		ttl := binary.BigEndian.Uint32(r.TTL)
		if r.Section == dnswire.Authority && r.Type == dns.TypeSOA && len(r.Data) > 20 {
			negative, most = true, negativeTTL
			ttl = min(ttl, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:]))
			binary.BigEndian.PutUint32(r.TTL, ttl)
		}
		shortest = min(shortest, ttl)
	}
	for r := range dnswire.Records(m) {
		binary.BigEndian.PutUint32(r.TTL, min(binary.BigEndian.Uint32(r.TTL), most))
	}
	rcode := dnswire.Rcode(m)
	switch {
	case rcode == dns.RcodeServerFailure:
		return min(FailureTTL, shortest)
	case rcode == dns.RcodeSuccess && dnswire.Count(m, dnswire.Answer) > 0:
		return min(shortest, most)
	case negative && (rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError):
		return min(shortest, most)
	}
	return 0
}

// State is the state of a cached answer.
type State uint8

// The states of an answer. With NotFound, Get returns no answer.
const (
	NotFound State = iota
	Fresh
	Prefetch // not expired, but popular and about to expire: use it, and refresh it now
	Stale    // expired: use it if the upstream fails (serve-stale, RFC 8767)
	Failing  // expired, and the wait after a failed refresh has just ended: use it, and refresh it now
	HeldDown // expired, and the wait after a failed refresh goes on: use it, do not refresh it (RFC 8767, section 5)
)

// state returns the state of an entry. It is NotFound if the entry expired more than maxStale seconds ago.
func (e *entry) state(now, maxStale uint32) State {
	switch {
	case e.words == 0 || now >= e.expires+maxStale:
		return NotFound
	case now >= e.expires:
		return e.expired(now)
	case !e.isHeldDown(now) && e.used > 1 && uint64(e.expires-now)*10 < uint64(e.expires-e.stored):
		return Prefetch
	}
	return Fresh
}

// expired returns the state of an expired entry.
func (e *entry) expired(now uint32) State {
	switch {
	case e.isHeldDown(now):
		return HeldDown
	case e.retry != 0 && uint16(now)-e.retry < holdDown:
		return Failing
	}
	return Stale
}

// isHeldDown reports whether the last refresh failed so recently that the next one has to wait. Only the lower 16 bits
// of the end of the wait are stored. They suffice, since that time is always near.
func (e *entry) isHeldDown(now uint32) bool {
	return e.retry != 0 && e.retry-uint16(now)-1 < FailureTTL
}
