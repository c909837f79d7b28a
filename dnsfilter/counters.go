package dnsfilter

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// counters are the counters of one worker. Workers do not share them, so processors do not contend for the same memory.
type counters struct {
	queries, hits, failures, dropped, limited, slipped, stale atomic.Uint64

	took upstream.Histogram // how long clients waited for their answers, see Stats.Took

	mu    sync.Mutex
	lists map[listAction]*uint64
	last  listAction // key of the last count; usually the next count has the same key
	at    *uint64    // the counter for the key in last

	answers answerCounters // answers over UDP
}

type listAction struct {
	list   string
	action Action
}

// count counts a decision by a list (or quorum).
func (c *counters) count(list string, action Action) {
	key := listAction{list, action}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil || c.last != key {
		c.last, c.at = key, c.counter(key)
	}
	*c.at++
}

// counter returns the counter for a list and an action. It creates the counter if needed.
func (c *counters) counter(key listAction) *uint64 {
	if c.lists == nil {
		c.lists = make(map[listAction]*uint64)
	}
	if c.lists[key] == nil {
		c.lists[key] = new(uint64)
	}
	return c.lists[key]
}

// addLists adds the counts of decisions to sum.
func (c *counters) addLists(sum map[string]map[Action]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range c.lists {
		if sum[key.list] == nil {
			sum[key.list] = make(map[Action]uint64)
		}
		sum[key.list][key.action] += *n
	}
}

// countedTypes are the query types with a counter of their own. All others are counted together.
var countedTypes = [...]uint16{ //nolint:gochecknoglobals // a constant table
	dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypePTR, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeSRV, dns.TypeSOA,
	dns.TypeCNAME, dns.TypeDS, dns.TypeDNSKEY, dns.TypeSVCB, dns.TypeANY,
}

// countedRcodes is the number of counted rcodes: 0 to BADCOOKIE.
const countedRcodes = dns.RcodeBadCookie + 1

// Answer is a combination of labels. Answers are counted for each combination.
type Answer struct {
	Transport Transport
	Type      string // query type; "other" for types without a counter of their own
	Rcode     string // name of the rcode as in [dns.RcodeToString], except that 16 is BADVERS
}

// answerCounters counts the sent answers by type and rcode.
type answerCounters [len(countedTypes) + 1][countedRcodes]atomic.Uint64

// count counts a packed answer.
func (a *answerCounters) count(m []byte) {
	i, off := len(countedTypes), dnswire.HeaderSize
	if dnswire.Count(m, dnswire.Question) > 0 {
		off = min(dnswire.SkipName(m, dnswire.HeaderSize)+4, len(m))
		if at := slices.Index(countedTypes[:], binary.BigEndian.Uint16(m[off-4:])); at >= 0 {
			i = at
		}
	}
	rcode := dnswire.Rcode(m)
	if m[6]|m[7]|m[8]|m[9] == 0 {
		if opt, ok := dnswire.AsOPT(m[off:]); ok { // only an OPT record extends the rcode
			rcode |= opt.Rcode() << 4
		}
	}
	a[i][min(rcode, countedRcodes-1)].Add(1)
}

// add adds the counts of answers over a transport to sum.
func (a *answerCounters) add(transport Transport, sum map[Answer]uint64) {
	for i := range a {
		for rcode := range a[i] {
			if n := a[i][rcode].Load(); n > 0 {
				sum[Answer{transport, typeName(i), rcodeName(rcode)}] += n
			}
		}
	}
}

// typeName returns the name of the i-th counted type.
func typeName(i int) string {
	if i < len(countedTypes) {
		return dns.TypeToString[countedTypes[i]]
	}
	return "other"
}

// rcodeName returns the name of a counted rcode. Rcode 16 is BADVERS here, although miekg/dns calls it BADSIG: there
// are no TSIG signatures.
func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS"
	}
	return dns.RcodeToString[rcode]
}
