package secure

import (
	"encoding/binary"
	"strconv"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// cacheControl returns the value of Cache-Control for an answer: how long the client may cache it (RFC 8484, section
// 5.1). Shared caches may not cache it, since clients may get different answers.
func cacheControl(m []byte) string {
	age := maxAge(m)
	if age == 0 {
		return "no-store"
	}
	return "private, max-age=" + strconv.FormatUint(uint64(age), 10)
}

// maxAge returns the lowest TTL in the answer section, in seconds. For a denial, it returns the negative TTL of the SOA
// record (RFC 2308, section 5), and for a failure 0.
func maxAge(m []byte) uint32 {
	if rcode := dnswire.Rcode(m); rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return 0
	}
	lowest, found := uint32(0), false
	for r := range dnswire.Records(m) {
		ttl := binary.BigEndian.Uint32(r.TTL)
		switch denial := r.Section == dnswire.Authority && r.Type == dns.TypeSOA; {
		case denial && len(r.Data) >= 20:
			ttl = min(ttl, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:]))
		case r.Section != dnswire.Answer:
			continue
		}
		if !found || ttl < lowest {
			lowest, found = ttl, true
		}
	}
	return lowest
}
