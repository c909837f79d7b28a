package upstream

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Zone is an upstream that answers from records in memory, for demonstrations, tests and machines without a network. It
// does not follow CNAME records and has no delegations. A wildcard (*.example.org) covers all names below its parent
// (example.org) that have no records themselves.
type Zone struct {
	names map[string][]dns.RR
}

// NewZone parses a zone in master file format (RFC 1035, section 5). $INCLUDE and $GENERATE are not supported.
func NewZone(text string) (*Zone, error) {
	z := &Zone{names: make(map[string][]dns.RR)}
	p := dns.NewZoneParser(strings.NewReader(text), ".", "zone")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name := dns.CanonicalName(rr.Header().Name)
		z.names[name] = append(z.names[name], rr)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("reading the zone: %w", err)
	}
	return z, nil
}

// Exchange answers a query with the records of its name and type. For a name without records it answers NXDOMAIN.
func (z *Zone) Exchange(_ context.Context, query *dns.Msg) (*dns.Msg, error) {
	reply := new(dns.Msg).SetReply(query)
	q := query.Question[0]
	name := dns.CanonicalName(q.Name)
	records, found := z.find(name)
	for _, rr := range records {
		if t := rr.Header().Rrtype; t == q.Qtype || t == dns.TypeCNAME || q.Qtype == dns.TypeANY {
			rr = dns.Copy(rr)
			rr.Header().Name = q.Name
			reply.Answer = append(reply.Answer, rr)
		}
	}
	if len(reply.Answer) > 0 {
		return reply, nil
	}
	if !found {
		reply.Rcode = dns.RcodeNameError
	}
	reply.Ns = z.authority(name)
	return reply, nil
}

// find returns the records of a name, or those of the wildcard that covers the name. It returns false if the name does
// not exist.
func (z *Zone) find(name string) ([]dns.RR, bool) {
	if records, ok := z.names[name]; ok {
		return records, true
	}
	for _, parent := range parents(name) {
		if records, ok := z.names["*."+strings.TrimPrefix(parent, ".")]; ok {
			return records, true
		}
		if _, ok := z.names[parent]; ok {
			return nil, false
		}
	}
	return nil, false
}

// authority returns the SOA record of the zone that contains a name, or nil.
func (z *Zone) authority(name string) []dns.RR {
	for _, at := range append([]string{name}, parents(name)...) {
		i := slices.IndexFunc(z.names[at], func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
		if i >= 0 {
			return []dns.RR{z.names[at][i]}
		}
	}
	return nil
}

// parents returns the names above name, the root last.
func parents(name string) []string {
	var out []string
	for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
		out = append(out, name[off:])
	}
	return append(out, ".")
}
