package rpz

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter"
)

// verdict is what a source does with some of its entries: the records that say it.
type verdict struct {
	Source  int    `json:"source"`
	Records []data `json:"records"`
}

// data is a record without its owner: type, class, TTL, length and data.
type data []byte

// ttl is the TTL of all records: that of blocked answers of the resolver, in seconds.
const ttl = 30

// The targets of CNAME records in policy zones.
const (
	toNXDomain = "\x00"
	toNoData   = "\x01*\x00"
	toPass     = "\x0crpz-passthru\x00"
	toDrop     = "\x08rpz-drop\x00"
)

func newData(rrtype uint16, rdata string) data {
	d := binary.BigEndian.AppendUint16(nil, rrtype)
	d = binary.BigEndian.AppendUint16(d, dns.ClassINET)
	d = binary.BigEndian.AppendUint32(d, ttl)
	d = binary.BigEndian.AppendUint16(d, uint16(len(rdata)))
	return append(d, rdata...)
}

// sayings returns the records of an action, or none if a zone can't say it.
func sayings(a dnsfilter.Action, sinkhole []netip.Addr) []data {
	switch a {
	case dnsfilter.NXDomain:
		return []data{newData(dns.TypeCNAME, toNXDomain)}
	case dnsfilter.NoData:
		return []data{newData(dns.TypeCNAME, toNoData)}
	case dnsfilter.Drop:
		return []data{newData(dns.TypeCNAME, toDrop)}
	case dnsfilter.Sinkhole:
		var all []data
		for _, a := range sinkhole {
			rrtype := dns.TypeAAAA
			if a.Is4() {
				rrtype = dns.TypeA
			}
			all = append(all, newData(rrtype, string(a.AsSlice())))
		}
		return all
	case dnsfilter.Pass, dnsfilter.Monitor, dnsfilter.Refused, dnsfilter.Divert:
	}
	return nil
}

// CanSay reports whether a policy zone can say an action: nxdomain, nodata, drop and sinkhole.
func CanSay(a dnsfilter.Action) bool { return sayings(a, []netip.Addr{netip.IPv4Unspecified()}) != nil }
