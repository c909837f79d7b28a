package dnsfilter

import (
	"net/netip"

	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
)

// Rule says what happens to the names of a list.
type Rule struct {
	List       string            // its name in the store; of a quorum, the name under which it is counted
	Action     Action            // zero is Pass: the rule does nothing
	Categories map[string]Action // instead of Action, for entries with such a category
	Sinkhole   []netip.Addr      // the addresses that Sinkhole answers with, of either family
	// of a filtering proxy for the hosts of the list's url entries; none: url entries do nothing
	Divert []netip.Addr
	Reason Reason // zero is Blocked
	Notice Notice // the text that goes with the reason
}

// Quorum says what happens to names and addresses on which several lists agree. A list counts if it has an entry that
// blocks (one with status=monitor does not count), whatever the list's own rule does, and even without a rule.
//
// NXDomain becomes NoData unless enough of the lists have entries of scope domain: on names below they may not agree.
type Quorum struct {
	Rule // whose Categories are ignored

	Lists   []string // each once; of those that count for a name, the first gives the match
	AtLeast int      // number of lists that must agree
}

// View is the policy for some clients.
type View struct {
	Clients []netip.Prefix // the networks that the view is for
	Allow   []string       // as in Policy, and so are the others
	Rules   []Rule
	Quorums []Quorum
}

// CookieSecret is what server cookies are made with (RFC 7873, RFC 9018). Servers that answer at the same address share
// it.
type CookieSecret = cookie.Secret

// MaxRate is the highest limit, in answers a second.
const MaxRate = ratelimit.MaxRate

// RateLimit bounds what one network of clients is answered over UDP, where the sender of a query may be forged: a
// network of 24 bits (IPv4) or 56 bits (IPv6). The zero value is no limit.
type RateLimit struct {
	PerSecond int // answers a second, at most MaxRate; after a pause as many at once
	Slip      int // every Slip-th query beyond is answered with TC alone, so that a real client can ask over TCP; 0: none
}

// Policy says which list does what. The zero value blocks nothing.
//
// A decision is taken in this order: allow lists; the first rule that blocks; the first quorum that blocks; the first
// rule, then the first quorum, that monitors. Of hosts that are neither blocked nor allowed, those with url entries in
// a list whose rule diverts are led to its proxy: see [Divert].
type Policy struct {
	// Allow are lists whose names are never blocked, nor anything their entries cover. What the answer to an allowed
	// name leads to is not looked at; an allowed name at which another one's chain of CNAME records arrives ends the
	// looking.
	Allow   []string
	Rules   []Rule // in order: the first that blocks decides
	Quorums []Quorum

	// Later are lists that the store need not have yet: those that are fetched or loaded while queries are answered
	// already.
	Later []string

	// Views are for clients for whom other lists apply, or the same ones otherwise: what a view has counts in place of
	// Allow, Rules and Quorums. Of several that a client is in, the one with the longest prefix counts.
	Views []View

	// StructuredErrors is the code of the EDNS option by which clients ask for notices as JSON, as in
	// draft-ietf-dnsop-structured-dns-error; 0 turns them off. The draft's code is not assigned yet. Such clients get
	// no addresses of Sinkhole: they get the reason, and no data.
	StructuredErrors uint16
}
