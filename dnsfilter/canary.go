package dnsfilter

import (
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// CanaryNames returns the names that programs look up before they use an encrypted resolver or a relay of their own in
// place of the network's resolver. If the answer is a denial, they keep to the network's resolver, unless the user has
// chosen otherwise.
//
//   - use-application-dns.net: Firefox does not turn on DNS over HTTPS by itself.
//   - mask.icloud.com, mask-h2.icloud.com: Apple's devices turn off iCloud Private Relay in this network, and tell the
//     user.
func CanaryNames() []string {
	return []string{"use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com"}
}

// canaryAnswer appends the denial of a canary name. The parent of the name owns the SOA record, since the canary name
// itself would exist if it had one.
func (q *query) canaryAnswer(dst []byte, z *zone) []byte {
	rcode := dns.RcodeSuccess
	if z.canary == NXDomain {
		rcode = dns.RcodeNameError
	}
	m := q.start(dst, rcode)
	owner := dnswire.HeaderSize + len(q.name()) - len(z.name)
	m = appendSOA(m, dnswire.SkipLabels(m, owner, 1))
	dnswire.SetCount(m, dnswire.Authority, 1)
	return q.finish(m, 0, ede{})
}
