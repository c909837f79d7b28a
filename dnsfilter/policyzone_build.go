package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// zoneBuilder collects the rules of a policy zone.
type zoneBuilder struct {
	*zoneRules

	known map[string]zoneRule // rules of local data by content, so that equal local data is kept once
	total int                 // number of rules
}

// zoneAction is the meaning of a record in a policy zone: an action or, if rule is noRule, a record of local data.
type zoneAction struct {
	rule   zoneRule
	record localRecord
}

// zoneOwner is the parsed owner name of a rule: the trigger, and the name or prefix to match.
type zoneOwner struct {
	trigger Trigger
	name    []byte
	below   bool // the rule is for the wildcard below name
	prefix  netip.Prefix
}

// triggerLabels maps the last labels of owner names, relative to the zone, to their triggers. Owner names without such
// a label have the trigger QName.
var triggerLabels = map[string]Trigger{ //nolint:gochecknoglobals // a constant table
	"rpz-client-ip": ClientIP, "rpz-ip": AnswerIP, "rpz-nsdname": NSDName, "rpz-nsip": NSIP,
}

// locate parses the owner name of a rule, relative to the zone. It also returns the name without the label of the
// trigger, or, if the owner name has no meaning in a policy zone, the reason.
func (b *zoneBuilder) locate(owner []byte) (at zoneOwner, self []byte, why string) {
	at.trigger, self = QName, owner
	if top := lastLabel(owner); bytes.HasPrefix(top, []byte("rpz-")) {
		var ok bool
		if at.trigger, ok = triggerLabels[string(top)]; !ok {
			return at, nil, unknownTrigger
		}
		self = append(owner[:len(owner)-len(top)-2], 0)
	}
	if at.trigger != QName && at.trigger != NSDName {
		var ok bool
		if at.prefix, ok = parseAddressOwner(self); !ok {
			return at, nil, badPrefix
		}
		return at, self, ""
	}
	if at.name, at.below = bytes.CutPrefix(self, []byte(wildcardLabel)); !at.below && len(at.name) == 1 {
		return at, nil, unknownTrigger
	}
	return at, self, ""
}

// parseAddressOwner parses the owner name of an address trigger without its last label, such as 24.0.2.0.192 or
// 32.zz.db8.2001. It returns false if the name is no such prefix.
func parseAddressOwner(owner []byte) (netip.Prefix, bool) {
	parts := strings.Split(blocklist.Name(owner).String(), ".")
	slices.Reverse(parts)
	words, length := parts[:len(parts)-1], parts[len(parts)-1]
	text := strings.Join(words, ".")
	if len(words) != 4 || slices.Contains(words, "zz") {
		text = strings.Replace(":"+strings.Join(words, ":")+":", ":zz:", "::", 1)
		if !strings.HasPrefix(text, "::") {
			text = text[1:]
		}
		if !strings.HasSuffix(text, "::") {
			text = text[:len(text)-1]
		}
	}
	p, err := netip.ParsePrefix(text + "/" + length)
	return p, err == nil && p == p.Masked() && !p.Addr().Is4In6()
}

// maxOwnerRecords is the maximum number of local data records of one owner.
const maxOwnerRecords = 64

// add adds the action of one record to the rule of an owner. If the rule can't have the action, add returns the reason.
func (b *zoneBuilder) add(at zoneOwner, a zoneAction) (why string) {
	var rule *zoneRule
	switch at.trigger {
	case QName:
		rule = b.names.at(at.name, at.below)
	case NSDName:
		rule = b.servers.at(at.name, at.below)
	default:
		found := b.prefixes(at.trigger).at(at.prefix)
		rule = &found
	}
	before := *rule
	if *rule, why = b.combine(before, a); why != "" || *rule == before {
		b.unclear = true
		return why
	}
	if at.prefix.IsValid() {
		b.prefixes(at.trigger).set(at.prefix, *rule)
	}
	if before == noRule {
		b.counts[at.trigger]++
		b.total++
	}
	return ""
}

// drop removes the action of one record from the rule of an owner. If the rule does not have the action, drop changes
// nothing and returns the reason.
func (b *zoneBuilder) drop(at zoneOwner, a zoneAction) (why string) {
	before := b.rule(&at)
	records := b.records(before)
	i := slices.IndexFunc(records, func(r localRecord) bool { return r.equal(a.record) && r.ttl == a.record.ttl })
	if before == noRule || before != a.rule && i < 0 {
		return notThere
	}
	if len(records) > 1 {
		b.set(at, b.intern(slices.Delete(slices.Clone(records), i, i+1)))
		return ""
	}
	b.set(at, noRule)
	b.counts[at.trigger]--
	b.total--
	return ""
}

// set replaces the rule of an owner that already has a rule. If the new rule is noRule, set removes the old one.
func (b *zoneBuilder) set(at zoneOwner, rule zoneRule) {
	table := &b.names
	switch {
	case at.prefix.IsValid() && rule == noRule:
		b.prefixes(at.trigger).clear(at.prefix)
		return
	case at.prefix.IsValid():
		b.prefixes(at.trigger).set(at.prefix, rule)
		return
	case at.trigger == NSDName:
		table = &b.servers
	}
	if rule == noRule {
		table.clear(at.name, at.below)
	} else {
		*table.at(at.name, at.below) = rule
	}
}

// combine returns the rule of an owner after one more record of the owner was read. The argument before is the rule of
// the owner's earlier records. If the record contradicts them, combine returns the earlier rule and the reason.
func (b *zoneBuilder) combine(before zoneRule, a zoneAction) (_ zoneRule, why string) {
	records := b.records(before)
	switch {
	case a.rule != noRule && (before == noRule || before == a.rule):
		return a.rule, ""
	case a.rule != noRule, before != noRule && len(records) == 0:
		return before, secondAction
	case slices.ContainsFunc(records, a.record.equal):
		return before, ""
	case len(records) > 0 && (a.record.rrtype == dns.TypeCNAME || records[0].rrtype == dns.TypeCNAME):
		return before, secondAction
	case len(records) == maxOwnerRecords:
		return before, tooManyRecords
	}
	return b.intern(append(slices.Clip(records), a.record)), ""
}

func (r localRecord) equal(o localRecord) bool {
	return r.rrtype == o.rrtype && bytes.Equal(r.data, o.data)
}

// intern returns the rule for a set of local data records. Equal sets share one rule.
func (b *zoneBuilder) intern(records []localRecord) zoneRule {
	var key []byte
	for _, r := range records {
		key = binary.BigEndian.AppendUint16(key, r.rrtype)
		key = binary.BigEndian.AppendUint32(key, r.ttl)
		key = append(binary.BigEndian.AppendUint16(key, uint16(len(r.data))), r.data...)
	}
	rule, ok := b.known[string(key)]
	if !ok {
		rule = localRule + zoneRule(len(b.local))
		b.local = append(b.local, records)
		b.known[string(key)] = rule
	}
	return rule
}
