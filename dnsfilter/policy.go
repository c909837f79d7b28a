package dnsfilter

import (
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
)

// Rule is the action for the names of one list.
type Rule struct {
	List       string            // list name in the store; in a quorum, the name used in counters
	Action     Action            // zero is Pass: the rule does nothing
	Categories map[string]Action // by category; overrides Action
	Sinkhole   []netip.Addr      // IPv4 and IPv6 addresses for the action Sinkhole
	// a name for the action Sinkhole, instead of addresses: the answer is a CNAME record to this name, and the records
	// of this name (see Config.Upstream); a Filter answers with the CNAME record alone
	SinkholeName blocklist.Name
	// addresses of a filtering proxy for hosts with url entries in the list; none: url entries have no effect
	Divert []netip.Addr
	Reason Reason // zero is Blocked
	Notice Notice // text for the reason
	TTL    uint32 // of blocked answers, in seconds, at most MaxBlockTTL; 0: 30

	// Zone is the policy zone of the rule, in place of a list of the store. The records of the zone decide. An Action
	// other than Pass overrides the action of each record: it is an action that a list can have, TCPOnly or Passthru.
	// Categories and Divert have no meaning.
	//
	// The triggers of a zone precede those of later zones. A record with the action passthru ends the search in policy
	// zones; lists still block. Within a zone, the order is that of [Trigger]. Behind a zone with triggers on answers
	// or name servers, the decision of later zones waits for the answer.
	Zone *PolicyZone
}

// View is a separate policy for some clients.
type View struct {
	Clients []netip.Prefix // client networks of the view
	Allow   []string       // Allow, Rules and Quorums are as in Policy
	Rules   []Rule
	Quorums []Quorum

	zones []int // the indexes in Rules of rules with a policy zone
}

// CookieSecret is the key of DNS server cookies (RFC 7873, RFC 9018). Servers that answer at the same address share it.
type CookieSecret = cookie.Secret

// MaxRate is the maximum of [RateLimit].PerSecond, in answers a second.
const MaxRate = ratelimit.MaxRate

// RateLimit limits the answers to one network of clients over UDP, where the source address of a query may be forged. A
// network is an IPv4 /24 or an IPv6 /56. The zero value means no limit.
type RateLimit struct {
	PerSecond int // answers a second, at most MaxRate; also the burst after a pause
	Slip      int // every Slip-th query beyond the limit gets TC, so that a real client retries over TCP; 0: none
}

// Policy sets the action for each list. The zero value blocks nothing.
//
// The order of a decision is: allow lists; the first rule that blocks; the first quorum that blocks; the first rule
// that monitors; the first quorum that monitors. A host that is neither blocked nor allowed is diverted if it has url
// entries in the list of a rule with addresses in Divert: see [Divert].
type Policy struct {
	// Allow is the names of allow lists. The names that their entries cover are never blocked. Answers to queries for
	// an allowed name are not inspected. If a CNAME chain from another name reaches an allowed name, the rest of the
	// chain is not inspected.
	Allow   []string
	Rules   []Rule // in order: the first that blocks decides
	Quorums []Quorum

	// Later is the names of lists that the store may not have yet, because they are fetched or loaded while the server
	// runs.
	Later []string

	// Views are separate policies for groups of clients. A view replaces Allow, Rules and Quorums for its clients. If a
	// client is in several views, the longest prefix decides.
	Views []View

	// StructuredErrors is the code of the EDNS option by which clients request notices as JSON
	// (draft-ietf-dnsop-structured-dns-error); 0 turns them off. The code is not assigned yet. Clients that send the
	// option get no data instead of the addresses of Sinkhole, since they can show the reason.
	StructuredErrors uint16
}
