package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Action is what happens to a query.
type Action uint8

// The actions. Those from NXDomain to Sinkhole block.
const (
	Pass     Action = iota // answered as if no list were there
	Monitor                // counted, then answered as if no list were there
	NXDomain               // there is no such name; for an entry of scope host or ip NoData, since names below may exist
	NoData                 // the name has no records of the type asked for
	Refused                // the rcode REFUSED
	Drop                   // no answer at all
	Sinkhole               // the rule's addresses for A and AAAA, no data for other types
)

var actionNames = [...]string{"pass", "monitor", "nxdomain", "nodata", "refused", "drop", "sinkhole"} //nolint:gochecknoglobals // a constant table

// String returns the word used in settings, logs and counters.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "invalid"
}

// MarshalText implements [encoding.TextMarshaler]: it writes the word.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseAction reads the action of a list: every action but pass.
func ParseAction(text string) (Action, error) {
	if i := slices.Index(actionNames[:], text); i > int(Pass) {
		return Action(i), nil
	}
	return Pass, fmt.Errorf("unknown action %q: there are nxdomain, nodata, refused, drop, sinkhole and monitor", text)
}

// Reason is the extended DNS error (RFC 8914) that tells a client why it does not get the real answer.
type Reason uint8

// The reasons.
const (
	Blocked  Reason = iota // 15: by the operator's own will
	Censored               // 16: by an order from outside
	Filtered               // 17: by the client's wish
	NoReason               // no extended error is sent
)

var reasonNames = [...]string{"blocked", "censored", "filtered", "none"} //nolint:gochecknoglobals // a constant table

// String returns the word used in settings.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "invalid"
}

// ParseReason reads a reason.
func ParseReason(text string) (Reason, error) {
	if i := slices.Index(reasonNames[:], text); i >= 0 {
		return Reason(i), nil
	}
	return Blocked, fmt.Errorf("unknown reason %q: there are censored, blocked, filtered and none", text)
}

// Rule says what happens to the names of a list.
type Rule struct {
	List     string       // its name in the store
	Action   Action       // zero is Pass: the rule does nothing
	Sinkhole []netip.Addr // the addresses that Sinkhole answers with, of either family
	Reason   Reason       // zero is Blocked
}

// Policy says which list does what. The zero value blocks nothing.
type Policy struct {
	// Allow are lists whose names are never blocked, nor anything their entries cover. What the answer to an allowed name
	// leads to is not looked at; an allowed name at which another one's chain of CNAME records arrives ends the looking.
	Allow []string
	Rules []Rule // in order: the first that blocks decides

	// Clients are the networks whose queries a server answers; if there are none, [DefaultClients]. Others get REFUSED over
	// UDP; over TCP their connections are closed.
	Clients []netip.Prefix

	// RateLimit is for queries over UDP.
	RateLimit RateLimit

	// Special are zones that a server answers itself, as zones of which nothing is known: see [SpecialZones].
	Special []blocklist.Name
}

// Decision is what happens to a name, and why.
type Decision struct {
	Action Action
	Match  blocklist.Match // what decided; zero if no list of the policy holds the name or address
	rule   *Rule
}

// Blocks tells whether the real answer is withheld.
func (d Decision) Blocks() bool { return d.Action >= NXDomain }

// allows tells whether an allow list holds the name.
func (d *Decision) allows() bool { return d.Action == Pass && d.Match.List != "" }

// usualLists is how many lists may hold one name before a decision allocates.
const usualLists = 8

// Decide says what happens to a name in lower-case wire form. The decision keeps a reference to name.
//
// NXDOMAIN tells caches that nothing exists below a name (RFC 8020). Where names below a listed domain are allowed, the
// action nodata suits the list better.
func (p *Policy) Decide(store *blocklist.Store, name []byte) Decision {
	var buf [usualLists]blocklist.Match
	matches := store.AppendMatches(buf[:0], name)
	if len(matches) == 0 {
		return Decision{}
	}
	return p.choose(matches)
}

// DecideAddr says what happens to an answer that leads to an address. Entries of scope ip decide.
func (p *Policy) DecideAddr(store *blocklist.Store, a netip.Addr) Decision {
	if _, ok := store.LookupAddr(a); !ok { // as good as always, and cheap
		return Decision{}
	}
	return p.choose(store.AppendAddrMatches(nil, a))
}

// choose decides among the matches of one name or address.
func (p *Policy) choose(matches []blocklist.Match) Decision {
	for _, list := range p.Allow {
		if m := find(matches, list); m != nil && !m.Monitor {
			return Decision{Match: *m}
		}
	}
	var d Decision
	for i := range p.Rules {
		r := &p.Rules[i]
		m := find(matches, r.List)
		switch {
		case m == nil || r.Action == Pass:
		case !m.Monitor && r.Action != Monitor:
			return Decision{Action: r.action(m.Scope), Match: *m, rule: r}
		case d.rule == nil:
			d = Decision{Action: Monitor, Match: *m, rule: r}
		}
	}
	return d
}

func find(matches []blocklist.Match, list string) *blocklist.Match {
	for i := range matches {
		if matches[i].List == list {
			return &matches[i]
		}
	}
	return nil
}

// action keeps a name that is listed alone, or leads to a listed address, from hiding the names below it.
func (r *Rule) action(scope blocklist.Scope) Action {
	if r.Action == NXDomain && scope != blocklist.ScopeDomain {
		return NoData
	}
	return r.Action
}
