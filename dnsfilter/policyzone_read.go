package dnsfilter

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/internal/zonefile"
)

// maxZoneRules is the maximum number of rules of a policy zone.
const maxZoneRules = 10_000_000

// skippedLines is the maximum number of line numbers in a SkippedRecords.
const skippedLines = 5

// ZoneReport describes how a policy zone was read.
type ZoneReport struct {
	Serial   uint32           // of the SOA record; 0: there is none
	Lines    int              // of the file
	Rules    int              // number of rules
	Triggers map[Trigger]int  // number of rules by trigger
	Skipped  []SkippedRecords // in the order of their first lines
}

// SkippedRecords counts the records of a zone that are not rules, with one reason.
type SkippedRecords struct {
	Reason string
	Count  int
	Lines  []int // the first few line numbers
}

// Reasons why records are skipped.
const (
	notName        = "not a domain name"
	notRecord      = "not a record"
	otherClass     = "class other than IN"
	outsideZone    = "owner outside the zone"
	noOwner        = "no owner"
	directiveOther = "directive, unsupported"
	ruleOfApex     = "rule for the zone itself, not for a name"
	badPrefix      = "not an address"
	unknownTrigger = "unknown trigger"
	unknownAction  = "unknown action"
	meaningless    = "record type without a meaning in a policy zone"
	secondAction   = "second action for one owner"
	tooManyRecords = "more records for one owner than an answer has room for"
	notThere       = "removed record that is not there"
)

// Read replaces the rules of the zone by those of a zone file (RFC 1035, section 5). Names are relative to the name of
// the zone, until $ORIGIN says otherwise. A record that can't be a rule is skipped and counted. After an error, the
// rules stay as they were: [blocklist.ErrMalformed] if the text has no records, or is that of another zone,
// [blocklist.ErrTooLarge] for more than ten million rules, or the error of the reader.
func (z *PolicyZone) Read(text io.Reader) (ZoneReport, error) {
	r := z.reader(text, newZoneRules())
	rules, err := r.read()
	if err != nil {
		return r.report, fmt.Errorf("reading policy zone %s: %w", z.name, err)
	}
	z.current.Store(rules)
	return r.report, nil
}

// reader returns a reader of a text that adds to rules.
func (z *PolicyZone) reader(text io.Reader, rules *zoneRules) *zoneReader {
	r := &zoneReader{
		scanner: zonefile.NewScanner(text), apex: []byte(z.name), origin: []byte(z.name), ttl: recordTTL,
		builder: zoneBuilder{zoneRules: rules, known: map[string]zoneRule{}}, skipped: map[string]int{},
	}
	for _, n := range rules.counts {
		r.builder.total += n
	}
	r.take = r.builder.add
	return r
}

// Adopt replaces the rules of the zone by those of another one.
func (z *PolicyZone) Adopt(other *PolicyZone) { z.current.Store(other.current.Load()) }

// zoneReader reads a policy zone.
type zoneReader struct {
	scanner *zonefile.Scanner
	builder zoneBuilder
	report  ZoneReport
	skipped map[string]int                                // index in the report by reason
	records int                                           // understood
	take    func(at zoneOwner, a zoneAction) (why string) // what a record is for: a rule to be added, or one to be removed
	begins  func(serial uint32) error                     // called for each SOA record; nil: nothing is

	apex, origin []byte
	owner        []byte // of the record before, in wire form; empty before the first
	ttl          uint32
	first        int // index of the first field that was not read yet
	buf          [2 * blocklist.MaxName]byte
}

func (r *zoneReader) read() (*zoneRules, error) {
	s := r.scanner
	for s.Next() {
		why := s.Malformed
		if why == "" {
			var err error
			if why, err = r.entry(); err != nil {
				return nil, err
			}
		}
		if why != "" {
			r.skip(why)
		}
		if r.report.Rules > maxZoneRules {
			return nil, fmt.Errorf("%w: more than %d rules", blocklist.ErrTooLarge, maxZoneRules)
		}
	}
	if s.Err() != nil {
		return nil, s.Err()
	}
	if r.report.Lines = s.Lines; r.records == 0 {
		return nil, fmt.Errorf("%w: there are no records of the zone in it", blocklist.ErrMalformed)
	}
	r.report.Triggers = r.builder.byTrigger()
	r.builder.names, r.builder.servers = r.builder.names.clone(), r.builder.servers.clone() // without room to grow
	return r.builder.zoneRules, nil
}

// byTrigger returns the number of rules by trigger.
func (z *zoneRules) byTrigger() map[Trigger]int {
	all := make(map[Trigger]int)
	for t, n := range z.counts {
		if n > 0 {
			all[Trigger(t)] = n
		}
	}
	return all
}

// skip counts the current entry as skipped.
func (r *zoneReader) skip(why string) {
	at, ok := r.skipped[why]
	if !ok {
		at = len(r.report.Skipped)
		r.skipped[why] = at
		r.report.Skipped = append(r.report.Skipped, SkippedRecords{Reason: why})
	}
	s := &r.report.Skipped[at]
	if s.Count++; len(s.Lines) < skippedLines {
		s.Lines = append(s.Lines, r.scanner.Line)
	}
}

// next returns the next field of the entry, or nil.
func (r *zoneReader) next() []byte {
	if r.first == r.scanner.Len() {
		return nil
	}
	r.first++
	return r.scanner.Field(r.first - 1)
}

// entry reads an entry. It returns the reason if the entry is skipped. An error ends the reading.
func (r *zoneReader) entry() (why string, err error) {
	r.first = 0
	if !r.scanner.Continued {
		field := r.next()
		if field[0] == '$' {
			return r.directive(string(field)), nil
		}
		owner, ok := r.appendName(r.owner[:0], field)
		if !ok {
			r.owner = r.owner[:0]
			return notName, nil
		}
		r.owner = owner
	}
	if len(r.owner) == 0 {
		return noOwner, nil
	}
	return r.record()
}

func (r *zoneReader) directive(kind string) (why string) {
	value := r.next()
	switch kind = strings.ToUpper(kind); {
	case value == nil || r.next() != nil:
	case kind == "$TTL":
		if ttl, ok := parseTTL(value); ok {
			r.ttl = ttl
			return ""
		}
	case kind == "$ORIGIN":
		origin, ok := r.appendName(nil, value)
		if !ok {
			return notName
		}
		r.origin = origin
		return ""
	}
	return directiveOther
}

// appendName appends a name in wire form, in lower case. It may be relative to the origin.
func (r *zoneReader) appendName(dst, text []byte) ([]byte, bool) {
	if len(text) == 1 && text[0] == '@' {
		return append(dst, r.origin...), true
	}
	start := len(dst)
	out, err := blocklist.AppendName(dst, string(text))
	if err != nil || text[0] == '"' {
		return dst, false
	}
	if !isAbsolute(text) {
		out = append(out[:len(out)-1], r.origin...)
	}
	return out, len(out)-start <= blocklist.MaxName
}

// record reads the rest of a record, behind its owner.
func (r *zoneReader) record() (why string, err error) {
	ttl := r.ttl
	field := r.next()
	for ; field != nil; field = r.next() {
		if t, ok := parseTTL(field); ok {
			ttl = t
		} else if !strings.EqualFold(string(field), "IN") {
			break
		}
	}
	kind := strings.ToUpper(string(field))
	rrtype, ok := dns.StringToType[kind]
	if !ok {
		number, err := strconv.ParseUint(strings.TrimPrefix(kind, "TYPE"), 10, 16)
		if _, class := dns.StringToClass[kind]; class {
			return otherClass, nil
		}
		if rrtype = uint16(number); err != nil || !strings.HasPrefix(kind, "TYPE") || r.first == r.scanner.Len() {
			return notRecord, nil
		}
	}
	if r.first == r.scanner.Len() {
		return notRecord, nil
	}
	if rrtype == dns.TypeSOA {
		return r.start()
	}
	if !dnswire.IsWithin(r.owner, r.apex) {
		return outsideZone, nil
	}
	if len(r.owner) == len(r.apex) {
		r.records++
		if rrtype == dns.TypeCNAME {
			return ruleOfApex, nil
		}
		return "", nil
	}
	return r.rule(rrtype, ttl), nil
}

// start reads the SOA record. It fails if the record is that of another zone.
func (r *zoneReader) start() (why string, err error) {
	if !bytes.Equal(r.owner, r.apex) {
		return "", fmt.Errorf("%w: it is zone %s", blocklist.ErrMalformed, blocklist.Name(r.owner))
	}
	r.records++
	if r.first+3 <= r.scanner.Len() {
		serial, _ := strconv.ParseUint(string(r.scanner.Field(r.first+2)), 10, 32)
		r.report.Serial = uint32(serial)
	}
	if r.begins != nil {
		return "", r.begins(r.report.Serial)
	}
	return "", nil
}

// rule adds a record as a rule: its owner is the trigger, its data the action.
func (r *zoneReader) rule(rrtype uint16, ttl uint32) (why string) {
	if isSigned(rrtype) || isMeaningless(rrtype) {
		return meaningless
	}
	trigger := append(append(r.buf[:0], r.owner[:len(r.owner)-len(r.apex)]...), 0)
	at, self, why := r.builder.locate(trigger)
	if why != "" {
		return why
	}
	a, why := r.action(rrtype, ttl, self)
	if why == "" {
		why = r.take(at, a)
	}
	if why == "" {
		r.records++
		r.report.Rules = r.builder.total
	}
	return why
}

// action returns what a record says: a rule, or a record of local data. Self is the name that, as the target of a CNAME
// record, was the form of passthru in early versions of RPZ.
func (r *zoneReader) action(rrtype uint16, ttl uint32, self []byte) (a zoneAction, why string) {
	if rrtype != dns.TypeCNAME {
		data, ok := r.data(rrtype)
		if !ok {
			return a, notRecord
		}
		return zoneAction{record: localRecord{rrtype, ttl, data}}, ""
	}
	target, ok := r.appendName(nil, r.next())
	if !ok || r.next() != nil {
		return a, notRecord
	}
	switch {
	case bytes.Equal(target, self) && !bytes.HasPrefix(target, []byte(wildcardLabel)): // a wildcard says something else
		return zoneAction{rule: passRule}, ""
	case !bytes.HasPrefix(lastLabel(target), []byte("rpz-")):
		return cnameAction(target, ttl), ""
	}
	switch string(target) {
	case "\x0crpz-passthru\x00":
		return zoneAction{rule: passRule}, ""
	case "\x08rpz-drop\x00":
		return zoneAction{rule: dropRule}, ""
	case "\x0crpz-tcp-only\x00":
		return zoneAction{rule: tcpOnlyRule}, ""
	}
	return a, unknownAction
}

// data parses the data of a record. Names in it are not compressed.
func (r *zoneReader) data(rrtype uint16) ([]byte, bool) {
	var text strings.Builder
	text.WriteString(". 0 IN " + dns.Type(rrtype).String())
	for field := r.next(); field != nil; field = r.next() {
		text.WriteByte(' ')
		text.Write(field)
	}
	p := dns.NewZoneParser(strings.NewReader(text.String()), blocklist.Name(r.origin).String(), "")
	rr, ok := p.Next()
	if !ok || p.Err() != nil || rr.Header().Rrtype != rrtype {
		return nil, false
	}
	if out := rr.String(); strings.HasSuffix(out, "\t") || !isText(rr, out) {
		return nil, false
	}
	buf := make([]byte, dns.Len(rr))
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return nil, false
	}
	return buf[1+10 : end], true
}
