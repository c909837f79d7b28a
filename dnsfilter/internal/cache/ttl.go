package cache

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// How long answers are kept, in seconds, whatever their records say (RFC 2308, sections 5 and 7.1; RFC 8767, section 4;
// RFC 9520, section 3.2).
const (
	maxTTL      = 24 * 3600
	negativeTTL = 3600
	maxStale    = 24 * 3600 // that an expired answer is kept for serve-stale
	holdDown    = 30        // after a look-up has failed, the next is more likely to fail than to succeed
	FailureTTL  = 5         // of the upstream's failure
	NoAnswerTTL = 1         // of the failure to get any reply
)

// TTL returns for how many seconds an answer may be kept, 0 for not at all. It sets TTLs that are longer than a day to
// that, and of a negative answer those longer than an hour; that of its SOA record to how long it denies, so that it
// counts down to the end.
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

// State says what a cached answer is good for.
type State uint8

// The states.
const (
	NotFound State = iota
	Fresh
	Prefetch // fresh, but popular and near its end: time to ask again
	Stale    // expired: good if nothing better can be had (RFC 8767)
	Failing  // expired, and a look-up has failed a moment ago: good, but time to ask again
	HeldDown // likewise, and too early to ask again (RFC 8767, section 5)
)

// state says what an entry is good for.
func (e *entry) state(now uint32) State {
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

// expired says what an entry is good for that has expired.
func (e *entry) expired(now uint32) State {
	switch {
	case e.isHeldDown(now):
		return HeldDown
	case e.retry != 0 && uint16(now)-e.retry < holdDown:
		return Failing
	}
	return Stale
}

// isHeldDown reports whether a look-up has failed so lately that the next one has to wait. The time of that one is
// compared by its last 16 bits: no failure that counts is far away.
func (e *entry) isHeldDown(now uint32) bool {
	return e.retry != 0 && e.retry-uint16(now)-1 < FailureTTL
}
