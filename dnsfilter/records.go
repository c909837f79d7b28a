package dnsfilter

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

const (
	maxRecords = 100_000
	recordTTL  = 300 // default TTL, in seconds
)

// Records are local data: records with which the server answers queries itself, after the lists have decided. They
// replace all records of the upstream for the same name. In a zone whose SOA record is among them, names without
// records do not exist. Outside of such zones, the upstream answers queries for names without records. The records of a
// wildcard (*.example.org) apply to the names below its parent (example.org) that have no records of their own. CNAME
// records are followed, in the local data and to the upstream. Records are not signed by DNSSEC.
type Records struct {
	names map[blocklist.Name]*localName
}

// localName is the local data of one name. A name without records is present if other names of its zone are below it,
// or if it is the parent of a wildcard.
type localName struct {
	records  []dns.RR
	wildcard []dns.RR // records of the wildcard below this name
	zone     *dns.SOA // SOA record of the local zone that has the name; nil: none
}

// ParseRecords parses local data in the form of a zone file (RFC 1035, section 5). Names are absolute, with or without
// a dot at the end. The default TTL is 300 seconds. $INCLUDE, DNAME records, delegations and DNSSEC records are not
// supported. The error is [blocklist.ErrMalformed], or [blocklist.ErrTooLarge] for more than 100,000 records.
func ParseRecords(text io.Reader) (*Records, error) {
	r := &Records{names: make(map[blocklist.Name]*localName)}
	p := dns.NewZoneParser(text, ".", "")
	p.SetDefaultTTL(recordTTL)
	n := 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if n++; n > maxRecords {
			return nil, fmt.Errorf("reading records: %w: more than %d", blocklist.ErrTooLarge, maxRecords)
		}
		if err := r.add(rr); err != nil {
			return nil, fmt.Errorf("reading records: %w: %q: %w", blocklist.ErrMalformed, rr.Header().Name, err)
		}
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("reading records: %w: %w", blocklist.ErrMalformed, err)
	}
	return r, r.addZones()
}

// wildcardLabel is the first label of a wildcard, in wire form.
const wildcardLabel = "\x01*"

// add adds a record. It returns an error if the record is not supported, or contradicts others of its name.
func (r *Records) add(rr dns.RR) error {
	h := rr.Header()
	switch {
	case h.Class != dns.ClassINET:
		return errors.New("the class is not IN")
	case h.Rrtype == dns.TypeDNAME:
		return errors.New("DNAME is not supported: write CNAME records, or a wildcard")
	case isSigned(h.Rrtype):
		return errors.New("signatures are not supported: forward the zone to a server that signs it")
	}
	if text := rr.String(); strings.HasSuffix(text, "\t") || !isText(rr, text) {
		return fmt.Errorf("the %s record has no data", dns.TypeToString[h.Rrtype])
	}
	name := wireName(h.Name)
	if len(name) < 2 {
		return errors.New("the name is malformed, or the root")
	}
	var into *[]dns.RR
	if parent, ok := strings.CutPrefix(string(name), wildcardLabel); ok {
		into = &r.at(blocklist.Name(parent)).wildcard
	} else {
		into = &r.at(name).records
	}
	if len(*into) > 0 && (h.Rrtype == dns.TypeCNAME || (*into)[0].Header().Rrtype == dns.TypeCNAME) {
		return errors.New("a name with a CNAME record has no others")
	}
	*into = append(*into, rr)
	return nil
}

// isText reports whether the text, parsed again, gives the same record. It returns false for a record without data,
// which the parser of miekg/dns takes for a part of a dynamic update (RFC 2136).
func isText(rr dns.RR, text string) bool {
	again, err := dns.NewRR(text)
	return err == nil && dns.IsDuplicate(rr, again)
}

// isSigned reports whether records of a type belong to DNSSEC: keys, signatures, proofs and DS records.
func isSigned(rrtype uint16) bool {
	switch rrtype {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeDS:
		return true
	}
	return false
}

// addZones sets the zone of each name. It also adds the names between a name and the top of its zone, since these
// exist, too (RFC 8020). It fails if there are no records, or if a zone has a delegation.
func (r *Records) addZones() error {
	for _, name := range slices.Collect(maps.Keys(r.names)) {
		for above := range name.Suffixes() {
			soa := r.zoneOf(above)
			if soa == nil {
				break
			}
			r.at(above).zone = soa
		}
	}
	for name, n := range r.names {
		if n.zone != nil && !n.has(dns.TypeSOA) && n.has(dns.TypeNS) {
			return fmt.Errorf("reading records: %w: %q: delegations are not followed: forward the zone to its servers", blocklist.ErrMalformed, name)
		}
	}
	if len(r.names) == 0 {
		return fmt.Errorf("reading records: %w: there are none", blocklist.ErrMalformed)
	}
	return nil
}

// at returns the local data of a name, and adds the name if it is missing.
func (r *Records) at(name blocklist.Name) *localName {
	if r.names[name] == nil {
		r.names[name] = new(localName)
	}
	return r.names[name]
}

// zoneOf returns the SOA record of the longest zone of the local data that contains a name, or nil if there is none.
func (r *Records) zoneOf(name blocklist.Name) *dns.SOA {
	for above := range name.Suffixes() {
		if n := r.names[above]; n != nil {
			for _, rr := range n.records {
				if soa, ok := rr.(*dns.SOA); ok {
					return soa
				}
			}
		}
	}
	return nil
}

// has reports whether a name has records of a type.
func (n *localName) has(rrtype uint16) bool {
	return slices.ContainsFunc(n.records, func(rr dns.RR) bool { return rr.Header().Rrtype == rrtype })
}

// answers reports whether the local data answers queries: for the name of n itself if the argument is true, otherwise
// for the names below it.
func (n *localName) answers(itself bool) bool {
	switch {
	case n == nil:
		return false
	case n.zone != nil:
		return true
	case itself:
		return len(n.records) > 0
	}
	return len(n.wildcard) > 0
}
