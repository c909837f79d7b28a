package formats

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

const (
	maxTokens = 4096 // maximum number of fields of one record, which may span lines
	outside   = "owner outside the zone"
	forbidden = "record type without a meaning in RPZ, unsupported"
)

// zone parses a response policy zone (RPZ): master file syntax (RFC 1035, section 5), with the triggers and actions of
// draft-vixie-dnsop-dns-rpz. Here a wildcard covers all names below it, as publishers intend, even those below other
// owners of the zone. RFC 4592, which BIND and Unbound follow, excludes those.
type zone struct {
	*deferred
	apex, origin blocklist.Name // name of the zone, and the current $ORIGIN; empty: not known yet
	// owner of the previous record, for records without an owner; empty before the first record
	owner     blocklist.Name
	absolute  bool     // false: the previous record's owner is relative to the zone's name, which is not known yet
	relative  bool     // whether some owners depend on the zone's name
	pending   []record // records with absolute owners, stored until the apex is known
	tokens    []string // fields of the current record, which may continue in the next line
	continued bool     // whether the current record has no owner of its own
	depth     int      // number of open parentheses
}

func newZone(s settings) *zone {
	return &zone{deferred: newDeferred(s, false), apex: s.zone, origin: s.zone}
}

func (z *zone) line(t *lineSink, text string) {
	if z.depth == 0 {
		z.tokens = z.tokens[:0]
		z.continued = text != "" && (text[0] == ' ' || text[0] == '\t')
	}
	if !z.tokenize(text) || len(z.tokens) > maxTokens {
		t.bad("badly formed record")
		z.depth = 0
		return
	}
	if z.depth == 0 && len(z.tokens) > 0 {
		z.record(t)
	}
}

// tokenize appends the fields of a line to tokens. It removes comments and parentheses, and keeps the quotes of
// strings. It returns false for a syntax error.
func (z *zone) tokenize(text string) bool {
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t':
			i++
		case ';':
			return true
		case '(':
			z.depth++
			i++
		case ')':
			if z.depth--; z.depth < 0 {
				return false
			}
			i++
		default:
			n := tokenLength(text[i:])
			if n == 0 {
				return false
			}
			z.tokens = append(z.tokens, text[i:i+n])
			i += n
		}
	}
	return true
}

// tokenLength returns the length of the first field of s, or 0 for a string without a closing quote.
func tokenLength(s string) int {
	quoted := s[0] == '"'
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quoted && c == '"' && i > 0:
			return i + 1
		case !quoted && strings.IndexByte(" \t;()", c) >= 0:
			return i
		}
	}
	if quoted {
		return 0
	}
	return len(s)
}

// record parses the record or directive whose fields are in z.tokens.
func (z *zone) record(t *lineSink) {
	fields := z.tokens
	if !z.continued {
		if fields[0][0] == '$' {
			z.directive(t, fields)
			return
		}
		owner, ok := z.readName(fields[0])
		if !ok {
			t.bad(notName)
			return
		}
		z.owner, z.absolute, fields = owner, z.origin != "" || isAbsolute(fields[0]), fields[1:]
	}
	for len(fields) > 0 && (isTTL(fields[0]) || strings.EqualFold(fields[0], "IN")) {
		fields = fields[1:]
	}
	if len(fields) < 2 || z.owner == "" {
		t.bad(notFormat)
		return
	}
	kind, data := strings.ToUpper(fields[0]), fields[1:]
	if kind == "SOA" {
		z.begin()
		return
	}
	if z.apex == "" && z.absolute && z.owner != root {
		t.records++
		z.pending = append(z.pending, record{z.owner, kind, slices.Clone(data), t.number})
		return
	}
	z.relative = z.relative || z.owner != root
	z.rule(t, kind, data)
}

// rule parses a record as an RPZ rule: its owner is the trigger, its data the action.
func (z *zone) rule(t *lineSink, kind string, data []string) {
	apex := cmp.Or(z.apex, root)
	if apex != root && !z.owner.Within(apex) {
		t.bad(outside)
		return
	}
	trigger := z.owner[:len(z.owner)-len(apex)] + root
	l := redirect{line: t.number}
	l.mark, l.to = z.action(trigger, kind, data)
	switch top := topLabel(trigger); {
	case trigger == root && kind == "CNAME":
		t.bad("rule for the zone itself, not for a name")
	case trigger == root: // NS and other records of every zone
	case l.mark == 0:
		z.meaningless(t, kind)
	case top == "rpz-ip":
		z.addresses(t, trigger, l)
	case top == "rpz-client-ip" || top == "rpz-nsdname" || top == "rpz-nsip":
		t.skip(top + " trigger, unsupported")
	case strings.HasPrefix(string(trigger), star):
		z.below(t, trigger[len(star):], l)
	default:
		l.name, l.mark = trigger, l.mark&(listName|passName)
		z.answer(t, l)
	}
}

// forbiddenTypes are the record types that a policy zone must not use in rules.
const forbiddenTypes = " CDNSKEY CDS DNAME DNSKEY DS NS NSEC NSEC3 NSEC3PARAM RRSIG ZONEMD "

func (z *zone) meaningless(t *lineSink, kind string) {
	switch {
	case isDataType(kind):
		t.skip(otherData)
	case strings.Contains(forbiddenTypes, " "+kind+" "):
		t.skip(forbidden)
	default:
		t.bad(notFormat)
	}
}

func (z *zone) below(t *lineSink, parent blocklist.Name, l redirect) {
	if parent == root {
		t.skip("wildcard of everything, unsupported")
		return
	}
	l.name, l.mark = parent, l.mark&(listBelow|passBelow)
	z.answer(t, l)
}

// action returns the mark of a record and the answer that the record gives. The mark lists the trigger or excepts it.
// A zero mark means that the record does neither.
func (z *zone) action(trigger blocklist.Name, kind string, data []string) (m mark, to destination) {
	if kind == "CNAME" && len(data) == 1 {
		switch strings.ToLower(data[0]) {
		case "rpz-passthru.", "rpz-tcp-only.", "rpz-passthru", "rpz-tcp-only":
			return passDomain, to
		case ".", "*.", "rpz-drop.", "rpz-drop":
			return listDomain, to
		}
	}
	to, ok := recordDestination(kind, data[0])
	switch {
	case !ok || len(data) != 1:
		return 0, to
	case to.name == "":
		return listDomain, to
	case to.name == trigger || to.name == z.owner:
		return passDomain, to // rpz-passthru in early versions of RPZ
	}
	if to.name, ok = z.readName(data[0]); !ok {
		return 0, to
	}
	return listDomain, to
}

// addresses records an address trigger, such as 24.0.2.0.192.rpz-ip or 32.zz.db8.2001.rpz-ip.
func (z *zone) addresses(t *lineSink, trigger blocklist.Name, l redirect) {
	labels := strings.Split(trigger.String(), ".")
	labels = labels[:len(labels)-1]
	slices.Reverse(labels)
	p, ok := parseReversed(labels)
	if !ok {
		t.bad("not an address")
		return
	}
	l.ips, l.mark = p, l.mark&(listName|passName)
	z.answer(t, l)
}

// parseReversed parses the labels of an address trigger. The caller has reversed them, so that they have the order of
// an address, and the prefix length is last.
func parseReversed(labels []string) (netip.Prefix, bool) {
	if len(labels) < 2 {
		return netip.Prefix{}, false
	}
	words, length := labels[:len(labels)-1], labels[len(labels)-1]
	text := strings.Join(words, ".")
	if i := slices.Index(words, "zz"); i >= 0 || len(words) != 4 {
		text = strings.Join(expand(words, i), ":")
	}
	p, err := netip.ParsePrefix(text + "/" + length)
	return p, err == nil && p == p.Masked() && !p.Addr().Is4In6()
}

// expand replaces the word zz at index i by empty words, so that joining the words with colons gives the :: of an
// address. If i is negative, it changes nothing.
func expand(words []string, i int) []string {
	if i < 0 {
		return words
	}
	words[i] = ""
	if i == 0 {
		words = append([]string{""}, words...)
	}
	if words[len(words)-1] == "" {
		words = append(words, "")
	}
	return words
}

func (z *zone) end(t *lineSink, yield func(blocklist.Entry) bool) {
	if z.depth > 0 {
		t.bad("parenthesis that is not closed")
	}
	z.settleOwners(t)
	z.deferred.end(t, yield)
}
