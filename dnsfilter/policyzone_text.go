package dnsfilter

import (
	"bytes"

	"github.com/miekg/dns"
)

// What the fields of a policy zone mean by themselves.

// isAbsolute reports whether a name in a zone file ends in a dot that is not escaped.
func isAbsolute(text []byte) bool {
	name, ok := bytes.CutSuffix(text, []byte{'.'})
	return ok && (len(name)-len(bytes.TrimRight(name, `\`)))%2 == 0
}

// parseTTL parses a TTL: seconds, or numbers with units such as 1h30m.
func parseTTL(text []byte) (ttl uint32, ok bool) {
	var sum, n uint64
	digits := false
	for _, c := range text {
		unit := uint64(0)
		switch c | 0x20 {
		case 's':
			unit = 1
		case 'm':
			unit = 60
		case 'h':
			unit = 3600
		case 'd':
			unit = 86400
		case 'w':
			unit = 604800
		}
		switch {
		case c >= '0' && c <= '9':
			n, digits = n*10+uint64(c-'0'), true
		case unit > 0 && digits:
			sum, n, digits = sum+n*unit, 0, false
		default:
			return 0, false
		}
		if sum+n > 1<<31-1 {
			return 0, false
		}
	}
	return uint32(sum + n), len(text) > 0 && text[0] >= '0' && text[0] <= '9'
}

// isMeaningless reports whether records of a type have no meaning in a policy zone. For the types of DNSSEC, see
// isSigned.
func isMeaningless(rrtype uint16) bool {
	switch rrtype {
	case dns.TypeNS, dns.TypeDNAME, dns.TypeCDS, dns.TypeCDNSKEY, dns.TypeZONEMD, dns.TypeNone:
		return true
	}
	return rrtype == dns.TypeOPT || rrtype >= dns.TypeTKEY && rrtype <= dns.TypeANY
}

// cnameAction returns the action of a CNAME record whose target does not end in an rpz- label: NXDOMAIN for the root,
// no data for "*.", otherwise the record is local data.
func cnameAction(target []byte, ttl uint32) zoneAction {
	switch string(target) {
	case "\x00":
		return zoneAction{rule: nxdomainRule}
	case wildcardLabel + "\x00":
		return zoneAction{rule: nodataRule}
	}
	return zoneAction{record: localRecord{dns.TypeCNAME, ttl, target}}
}

// lastLabel returns the top-level label of a name in wire form, without its length byte. It is nil for the root.
func lastLabel(name []byte) []byte {
	for at := 0; name[at] != 0; {
		next := at + 1 + int(name[at])
		if name[next] == 0 {
			return name[at+1 : next]
		}
		at = next
	}
	return nil
}
