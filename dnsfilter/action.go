package dnsfilter

import (
	"fmt"
	"slices"
)

// Action is what happens to a query.
type Action uint8

// The actions. Those from NXDomain to TCPOnly withhold the real answer. The rule of a list can have the actions up to
// Sinkhole. Divert results from [Rule].Divert, and the later actions from the records of a [PolicyZone]. The rule of a
// policy zone can also have TCPOnly and Passthru.
const (
	Pass    Action = iota // answered as if there were no list
	Monitor               // counted, then answered as if there were no list

	// NXDomain: the name does not exist. It becomes NoData where NXDOMAIN would deny names that are not listed: for
	// entries of scope host or ip, and for targets of SVCB and HTTPS records.
	NXDomain

	NoData  // the name has no records of the type asked for
	Refused // the rcode REFUSED
	Drop    // no answer at all
	// Sinkhole: the rule's addresses for A and AAAA, no data for other types; or, for all types, a CNAME record to the
	// rule's name.
	Sinkhole
	Divert // addresses of the rule's proxy, for a host with url entries

	LocalData // the records of the policy zone for the name
	TCPOnly   // over UDP an empty answer with TC; over TCP the real answer

	// Passthru is only for the rule of a policy zone. If a query matches a trigger of the zone, no later zone decides,
	// but lists still do. The decision of the zone has the action Pass.
	Passthru
)

var actionNames = [...]string{"pass", "monitor", "nxdomain", "nodata", "refused", "drop", "sinkhole", "divert", "local-data", "tcp-only", "passthru"} //nolint:gochecknoglobals // a constant table

// Blocks reports whether the real answer is withheld.
func (a Action) Blocks() bool { return a >= NXDomain && a < Passthru }

// String returns the word used in settings, logs and counters.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "invalid"
}

// MarshalText implements [encoding.TextMarshaler]. The text is that of [Action.String].
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseZoneAction parses the action of a rule with a policy zone, which overrides the actions of the zone's records. It
// can be tcp-only, passthru, or an action of [ParseAction]. For other texts, it returns the error of ParseAction.
func ParseZoneAction(text string) (Action, error) {
	switch text {
	case TCPOnly.String():
		return TCPOnly, nil
	case Passthru.String():
		return Passthru, nil
	}
	return ParseAction(text)
}

// ParseAction parses an action that a list can have: monitor, nxdomain, nodata, refused, drop or sinkhole.
func ParseAction(text string) (Action, error) {
	if i := slices.Index(actionNames[:], text); i > int(Pass) && i < int(Divert) {
		return Action(i), nil
	}
	return Pass, fmt.Errorf("unknown action %q: there are nxdomain, nodata, refused, drop, sinkhole and monitor", text)
}
