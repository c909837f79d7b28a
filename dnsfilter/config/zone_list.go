package config

import (
	"slices"

	"github.com/argine-dns/argine/dnsfilter"
)

// A list with the key rpz is a policy zone: its records decide, unless an action overrides them.

// ZoneLists returns the lists that are policy zones, in the order of the settings.
func (s *Settings) ZoneLists() (all []*List) {
	for i := range s.Lists {
		if s.Lists[i].RPZ != "" {
			all = append(all, &s.Lists[i])
		}
	}
	return all
}

// setZone adds an empty policy zone to the rule of the list, if the list is a policy zone. If the key action is not
// set, the records of the zone decide.
func (l *List) setZone(given map[string]bool) {
	if l.RPZ == "" {
		return
	}
	l.Rule.Zone = dnsfilter.NewPolicyZone(l.RPZ)
	if !given["action"] {
		l.Action = dnsfilter.Pass
	}
}

// zoneContradictions returns a message for each key that a policy zone can't have, and for an action that only a policy
// zone can have.
func (l *List) zoneContradictions(given map[string]bool) (why []string) {
	for _, key := range []string{"scope", "stop_page", "categories", "divert"} {
		if given["rpz"] && given[key] {
			why = append(why, key+" is for lists of entries; a policy zone says itself what happens to what")
		}
	}
	if !given["rpz"] && forZones(l.Action) {
		why = append(why, onlyForZones(l.Action))
	}
	return why
}

// forZones reports whether an action is only for policy zones.
func forZones(a dnsfilter.Action) bool { return a == dnsfilter.TCPOnly || a == dnsfilter.Passthru }

func onlyForZones(a dnsfilter.Action) string {
	return "the action " + a.String() + " is for a policy zone, which has rpz"
}

// checkZoneLists adds an error for each policy zone that is used where a list of entries is needed: in a quorum, or in
// a policy zone that this server publishes.
func (s *Settings) checkZoneLists(r *reader) {
	for _, l := range s.ZoneLists() {
		name := l.Rule.List
		if slices.ContainsFunc(s.Quorums, func(q dnsfilter.Quorum) bool { return slices.Contains(q.Lists, name) }) {
			r.fail(l.position, "list %q is a policy zone, which can't be in a quorum", name)
		}
		for i := range s.PolicyZones {
			if z := &s.PolicyZones[i]; slices.Contains(z.Lists, name) {
				r.fail(z.position, "list %q is a policy zone itself: resolvers copy it from where it comes from", name)
			}
		}
	}
}

// zoneLost reports whether a policy zone loses its effect. This is so if the records of the zone decide under the
// present rule, while the next rule replaces them by an action that does not block.
func zoneLost(r, next *dnsfilter.Rule) bool {
	decides := func(r *dnsfilter.Rule) bool { return r.Zone != nil && r.Action == dnsfilter.Pass }
	return decides(r) && !decides(next) && !next.Action.Blocks()
}
