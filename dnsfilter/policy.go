package dnsfilter

import (
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cookie"
	"github.com/argine-dns/argine/dnsfilter/internal/ratelimit"
)

// Rule is the action for the entries of one list, or the policy zone that decides in place of a list.
type Rule struct {
	List       string            // name of the list in the store; for a quorum or a policy zone, the name used in counters
	Action     Action            // zero is Pass: the rule does nothing
	Categories map[string]Action // actions for categories of entries; they override Action
	Sinkhole   []netip.Addr      // IPv4 and IPv6 addresses for the action Sinkhole
	// a name for the action Sinkhole, instead of addresses: the answer is a CNAME record to this name, and the records
	// of this name (see Config.Upstream); a Filter answers with the CNAME record alone
	SinkholeName blocklist.Name
	// addresses of a filtering proxy for hosts with url entries in the list; none: url entries have no effect
	Divert []netip.Addr
	Reason Reason // zero is Blocked
	Notice Notice // text that explains a block to clients
	TTL    uint32 // TTL of blocked answers in seconds, at most MaxBlockTTL; 0: 30

	// Zone is the policy zone of the rule, in place of a list of the store. The records of the zone decide. If Action is
	// not Pass, it overrides the actions of the records: then it is TCPOnly, Passthru, or an action that a list can have.
	// Categories and Divert have to be empty.
	//
	// All triggers of a zone take precedence over those of later zones. Within a zone, the order is that of [Trigger]. A
	// record with the action passthru ends the search in policy zones, but lists still decide. If a zone has triggers on
	// answers or name servers, the decision of later zones waits for the answer.
	Zone *PolicyZone
}

// View is a separate policy for the clients in some networks.
type View struct {
	Clients []netip.Prefix // client networks of the view
	Allow   []string       // Allow, Rules and Quorums are as in Policy
	Rules   []Rule
	Quorums []Quorum

	zones []int // indexes of the rules with a policy zone
}

// CookieSecret is the key of DNS server cookies (RFC 7873, RFC 9018). The servers behind one address share it.
type CookieSecret = cookie.Secret

// MaxRate is the maximum of [RateLimit].PerSecond.
const MaxRate = ratelimit.MaxRate

// RateLimit limits the answers to one network of clients over UDP, where the source address of a query may be forged. A
// network is an IPv4 /24 or an IPv6 /56. The zero value means no limit.
type RateLimit struct {
	PerSecond int // answers per second, at most MaxRate; also the size of a burst after a pause; 0: no limit
	// every Slip-th query beyond the limit gets an empty answer with TC, so that a real client retries over TCP; 0: none
	Slip int
}

// Policy sets the action for each list. The zero value blocks nothing.
//
// The order of a decision is: allow lists; the first rule that blocks; the first quorum that blocks; the first rule
// that monitors; the first quorum that monitors. A host that is neither blocked nor allowed is diverted if it has url
// entries in the list of a rule with addresses in Divert: see [Divert].
type Policy struct {
	// Allow has the names of allow lists. Names that their entries cover are never blocked, and answers to queries for
	// them are not inspected. If a CNAME chain from another name reaches such a name, the rest of the chain is not
	// inspected.
	Allow   []string
	Rules   []Rule // in order of precedence: the first rule that blocks decides
	Quorums []Quorum

	// Later has the names of lists that the store may not have yet, because they are fetched or loaded while the server
	// runs.
	Later []string

	// Views are separate policies for groups of clients. A view replaces Allow, Rules and Quorums for its clients. If a
	// client is in several views, the longest prefix decides.
	Views []View

	// StructuredErrors is the code of the EDNS option by which clients request notices as JSON
	// (draft-ietf-dnsop-structured-dns-error); 0 turns them off. No code is assigned yet. Since clients that send the
	// option can show the reason, they get no data in place of the addresses of Sinkhole.
	StructuredErrors uint16
}
