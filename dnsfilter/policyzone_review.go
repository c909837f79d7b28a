package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// Review compares the rules of the zone with those of an earlier state of the zone. It returns the number of owners
// that have a rule now and had none before. For each owner whose rule blocks now and did not before, it calls add with
// the name or address as an entry of a list. It does not call add for the trigger ClientIP, whose rules block clients,
// not names.
func (z *PolicyZone) Review(before *PolicyZone, add func(blocklist.Entry)) (added int) {
	r := zoneReview{now: z.current.Load(), before: before.current.Load(), add: add}
	r.nameTable(&r.now.names, &r.before.names)
	r.nameTable(&r.now.servers, &r.before.servers)
	for _, t := range []Trigger{ClientIP, AnswerIP, NSIP} {
		r.prefixTable(t)
	}
	return r.added
}

// Review compares the changed rules with the earlier ones, in the same way as [PolicyZone.Review].
func (c *ZoneChange) Review(add func(blocklist.Entry)) (added int) {
	r := zoneReview{now: c.now, before: c.before, add: add}
	for _, at := range c.places {
		if !r.rule(r.now.rule(&at), r.before.rule(&at)) || at.trigger == ClientIP {
			continue
		}
		switch name := blocklist.Name(at.name); {
		case at.prefix.IsValid():
			add(blocklist.IPEntry(at.prefix))
		case at.below:
			add(blocklist.DomainEntry(name))
		default:
			add(blocklist.HostEntry(name))
		}
	}
	return r.added
}

// zoneReview is the comparison of two states of a zone.
type zoneReview struct {
	now, before *zoneRules
	add         func(blocklist.Entry)
	added       int
}

func (r *zoneReview) nameTable(now, before *nameTable) {
	for i, n := range now.nodes {
		name := now.name(uint32(i))
		was := before.get(name)
		if r.rule(n.exact, was.exact) {
			r.add(blocklist.HostEntry(blocklist.Name(name)))
		}
		if r.rule(n.below, was.below) {
			r.add(blocklist.DomainEntry(blocklist.Name(name)))
		}
	}
}

// prefixTable compares the rules of an address trigger. For ClientIP it only counts the new rules: they block clients,
// not names.
func (r *zoneReview) prefixTable(t Trigger) {
	for key, rule := range r.now.prefixes(t).rules {
		p := key.prefix()
		if r.rule(rule, r.before.prefixes(t).at(p)) && t != ClientIP {
			r.add(blocklist.IPEntry(p))
		}
	}
}

// rule compares the rules of one owner in both states. It reports whether the rule blocks now, and did not before.
func (r *zoneReview) rule(now, before zoneRule) bool {
	if now != noRule && before == noRule {
		r.added++
	}
	return withholds(now) && !withholds(before)
}

// withholds reports whether a rule keeps the real answer from clients over every transport. It returns false for
// tcpOnlyRule, since clients get the real answer over TCP.
func withholds(rule zoneRule) bool { return rule != noRule && rule != passRule && rule != tcpOnlyRule }
