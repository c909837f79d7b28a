package rpz

import (
	"cmp"
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter"
)

// verdict is the set of records by which the zone expresses an action, for some entries of one source.
type verdict struct {
	Source  int    `json:"source"`
	Records []data `json:"records"`
}

// data is a record without its owner name: type, class, TTL, length and data, in wire form.
type data []byte

// fixedData is the length of the fields of [data] before the record's own data, in bytes.
const fixedData = 10

// ttl is the TTL of the SOA and NS records, in seconds, and the default TTL of all other records. It is also the
// default TTL of the resolver's blocked answers.
const ttl = 30

// Targets of the CNAME records that express actions in a policy zone.
const (
	toNXDomain = "\x00"
	toNoData   = "\x01*\x00"
	toPass     = "\x0crpz-passthru\x00" //nolint:gosec // a name, no password
	toDrop     = "\x08rpz-drop\x00"
)

// rrtype returns the type of the record.
func (d data) rrtype() uint16 { return binary.BigEndian.Uint16(d) }

func newData(rrtype uint16, ttl uint32, rdata string) data {
	d := binary.BigEndian.AppendUint16(nil, rrtype)
	d = binary.BigEndian.AppendUint16(d, dns.ClassINET)
	d = binary.BigEndian.AppendUint32(d, ttl)
	d = binary.BigEndian.AppendUint16(d, uint16(len(rdata)))
	return append(d, rdata...)
}

// sayings returns the records that express an action of a rule, or nil if a policy zone can't express it.
func sayings(r *dnsfilter.Rule, a dnsfilter.Action) []data {
	to := ""
	switch a {
	case dnsfilter.NXDomain:
		to = toNXDomain
	case dnsfilter.NoData:
		to = toNoData
	case dnsfilter.Drop:
		to = toDrop
	case dnsfilter.Sinkhole:
		if to = string(r.SinkholeName); to == "" {
			return addresses(r)
		}
	case dnsfilter.Pass, dnsfilter.Monitor, dnsfilter.Refused, dnsfilter.Divert, dnsfilter.LocalData, dnsfilter.TCPOnly,
		dnsfilter.Passthru:
		return nil
	}
	return []data{newData(dns.TypeCNAME, cmp.Or(r.TTL, ttl), to)}
}

// addresses returns the A and AAAA records of a rule's sinkhole addresses.
func addresses(r *dnsfilter.Rule) (all []data) {
	for _, a := range r.Sinkhole {
		rrtype := dns.TypeAAAA
		if a.Is4() {
			rrtype = dns.TypeA
		}
		all = append(all, newData(rrtype, cmp.Or(r.TTL, ttl), string(a.AsSlice())))
	}
	return all
}

// CanSay reports whether a policy zone can express an action: nxdomain, nodata, drop and sinkhole.
func CanSay(a dnsfilter.Action) bool {
	return sayings(&dnsfilter.Rule{Sinkhole: []netip.Addr{netip.IPv4Unspecified()}}, a) != nil
}
