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

// skippedLines is the maximum number of line numbers in [SkippedRecords].
const skippedLines = 5

// ZoneReport describes what was read from the file of a policy zone.
type ZoneReport struct {
	Serial   uint32           // serial of the SOA record; 0: there is none
	Lines    int              // number of lines of the file
	Rules    int              // number of rules
	Triggers map[Trigger]int  // number of rules by trigger
	Skipped  []SkippedRecords // skipped records, in the order of the first line of each reason
}

// SkippedRecords counts the records of a zone that are skipped for one reason.
type SkippedRecords struct {
	Reason string
	Count  int
	Lines  []int // line numbers of the first few skipped records
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
// rules stay as they were. The error is [blocklist.ErrMalformed] if the file has no records or belongs to another zone,
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

// reader returns a zoneReader that reads a zone file and adds its rules to the given ones.
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

// Adopt replaces the rules of the zone by those of the argument other. The two zones then share the rules.
func (z *PolicyZone) Adopt(other *PolicyZone) { z.current.Store(other.current.Load()) }

// zoneReader reads the file of a policy zone, or of changes to it.
type zoneReader struct {
	scanner *zonefile.Scanner
	builder zoneBuilder
	report  ZoneReport
	skipped map[string]int                                // index in report.Skipped by reason
	records int                                           // number of records that were not skipped
	take    func(at zoneOwner, a zoneAction) (why string) // called for each record that is a rule, to add or to drop it
	begins  func(serial uint32) error                     // called for the serial of each SOA record; nil: no call

	apex, origin []byte
	owner        []byte // owner of the last record in wire form, which the next record may omit; empty: none
	ttl          uint32
	first        int // index of the next field to read
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

// skip counts the current entry as skipped, with a reason.
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

// next returns the next field of the entry, or nil after the last one.
func (r *zoneReader) next() []byte {
	if r.first == r.scanner.Len() {
		return nil
	}
	r.first++
	return r.scanner.Field(r.first - 1)
}

// entry reads an entry of the file. It returns the reason if the entry is skipped, or an error if reading must end.
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

// appendName appends a name in lower-case wire form. A name without a dot at its end is relative to the origin, and @
// is the origin itself. It returns false if the text is not a name, or if the name is too long.
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

// record reads the fields of a record after its owner. The results are those of entry.
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

// start reads the serial of the SOA record into the report, and calls r.begins with it. The error is
// [blocklist.ErrMalformed] if the record is that of another zone. It is the error of r.begins if that fails.
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

// rule converts a record to a rule, with the owner as its trigger and the data as its action, and passes it to r.take.
// It returns the reason if the record is skipped.
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

// action returns the action that a record specifies, or the reason if it specifies none. The argument self is the owner
// without the label of the trigger. A CNAME record with the target self means passthru in early versions of RPZ.
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

// data reads the remaining fields as the data of a record of a type. It returns the data in wire form with uncompressed
// names, or false if the fields are malformed.
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
