package dnsfilter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/argine-dns/argine/blocklist"
)

// Trigger is the part of a query or an answer that a rule of a policy zone matches. The order of the constants is the
// order of precedence within a zone.
type Trigger uint8

// The triggers.
const (
	ClientIP Trigger = iota // the address of the client
	QName                   // the query name, or a name in its CNAME chain
	AnswerIP                // an address in the answer
	NSDName                 // the name of an authoritative server of the zone that contains the query name
	NSIP                    // the address of an authoritative server of the zone that contains the query name

	triggers = iota // number of triggers
)

var triggerNames = [triggers]string{"client-ip", "qname", "ip", "nsdname", "nsip"} //nolint:gochecknoglobals // a constant table

// String returns the word used in reports and metrics.
func (t Trigger) String() string {
	if t < triggers {
		return triggerNames[t]
	}
	return "invalid"
}

// MarshalText implements [encoding.TextMarshaler]. The text is that of [Trigger.String].
func (t Trigger) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// PolicyZone is a response policy zone (RPZ, draft-vixie-dnsop-dns-rpz) in memory. Its records decide on queries, as
// part of a [Rule]. Until the first [PolicyZone.Read], it has no rules. Its methods may be called by several
// goroutines.
type PolicyZone struct {
	name    blocklist.Name
	current atomic.Pointer[zoneRules]
}

// NewPolicyZone creates a policy zone without rules.
func NewPolicyZone(name blocklist.Name) *PolicyZone {
	z := &PolicyZone{name: name}
	z.current.Store(newZoneRules())
	return z
}

// Name returns the name of the zone.
func (z *PolicyZone) Name() blocklist.Name { return z.name }

// zoneRule is the action of a rule in a policy zone: one of the constants or, for local data, localRule plus the index
// in zoneRules.local.
type zoneRule uint32

const (
	noRule zoneRule = iota
	passRule
	nxdomainRule
	nodataRule
	dropRule
	tcpOnlyRule
	localRule // local data at index 0
)

// zoneRules are the rules of a policy zone. They do not change once they are in force.
type zoneRules struct {
	names, servers              nameTable   // rules with the triggers QName and NSDName
	clients, answers, serverIPs prefixTable // rules with the triggers ClientIP, AnswerIP and NSIP
	local                       [][]localRecord
	counts                      [triggers]int
	// records repeat or contradict each other, so what the removal of a record changes depends on other records
	unclear bool
}

// localRecord is a record of local data without its owner name.
type localRecord struct {
	rrtype uint16
	ttl    uint32
	data   []byte // data in wire form, without compressed names
}

func newZoneRules() *zoneRules { return &zoneRules{names: newNameTable(), servers: newNameTable()} }

// prefixes returns the table for a trigger that matches addresses.
func (z *zoneRules) prefixes(t Trigger) *prefixTable {
	switch t {
	case ClientIP:
		return &z.clients
	case AnswerIP:
		return &z.answers
	default:
		return &z.serverIPs
	}
}

// rule returns the rule of an owner, or noRule.
func (z *zoneRules) rule(at *zoneOwner) zoneRule {
	table := &z.names
	switch at.trigger {
	case QName:
	case NSDName:
		table = &z.servers
	default:
		return z.prefixes(at.trigger).at(at.prefix)
	}
	if node := table.get(at.name); at.below {
		return node.below
	} else {
		return node.exact
	}
}

// wantsAnswer reports whether the zone has rules on addresses in the answer or on name servers. Such rules can't be
// matched when the query arrives.
func (z *zoneRules) wantsAnswer() bool { return z.counts[AnswerIP] > 0 || z.wantsServers() }

// wantsServers reports whether the zone has rules on the names or addresses of name servers.
func (z *zoneRules) wantsServers() bool { return z.counts[NSDName]+z.counts[NSIP] > 0 }

// records returns the local data of a rule, or nil.
func (z *zoneRules) records(rule zoneRule) []localRecord {
	if rule < localRule {
		return nil
	}
	return z.local[rule-localRule]
}

// zoneHit is the rule of a policy zone that a query matches.
type zoneHit struct {
	zones   *zoneRules
	place   int // index of the policy zone among those of the view
	rule    zoneRule
	trigger Trigger
	node    uint32       // for triggers on names: the node of the rule in the name table
	below   bool         // for triggers on names: the rule is that of the wildcard below the node
	prefix  netip.Prefix // for triggers on addresses: the prefix of the rule

	name []byte // the name to answer for: the query name, or a name in its CNAME chain
	buf  [blocklist.MaxName]byte
}

// owner returns the owner name of the rule, relative to its zone.
func (h *zoneHit) owner() string {
	switch h.trigger {
	case QName, NSDName:
		table, suffix := &h.zones.names, ""
		if h.trigger == NSDName {
			table, suffix = &h.zones.servers, ".rpz-nsdname"
		}
		name := blocklist.Name(table.name(h.node)).String()
		if h.below {
			name = strings.TrimSuffix("*."+name, ".")
		}
		return name + suffix
	default:
		return addressOwner(h.prefix) + ".rpz-" + h.trigger.String()
	}
}

// addressOwner returns a prefix as an owner name of a policy zone, such as 24.0.2.0.192: the length, and the parts of
// the address in reverse order.
func addressOwner(p netip.Prefix) string {
	a, out := p.Addr(), strconv.Itoa(p.Bits())
	if a.Is4() {
		for _, part := range [4]byte{a.As4()[3], a.As4()[2], a.As4()[1], a.As4()[0]} {
			out += "." + strconv.Itoa(int(part))
		}
		return out
	}
	text := a.String() // with :: for the longest run of zeros
	parts := strings.Split(strings.Replace(text, "::", ":zz:", 1), ":")
	for _, part := range slices.Backward(parts) {
		if part != "" {
			out += "." + part
		}
	}
	return out
}
