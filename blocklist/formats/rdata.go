package formats

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// otherData is the reason for skipping a record whose data is neither an address nor a name.
const otherData = "data of other types, not blocked"

// isTTL reports whether a field is a TTL: seconds, or numbers with units.
func isTTL(field string) bool {
	return field[0] >= '0' && field[0] <= '9' && strings.Trim(field, "0123456789smhdwSMHDW") == ""
}

// dataTypes are the record types that unbound accepts as local data.
const dataTypes = " A AAAA CAA HINFO HTTPS LOC MX NAPTR PTR SPF SRV SSHFP SVCB TLSA TXT URI "

// isDataType reports whether a record type may be local data. It accepts the generic form TYPE1234 (RFC 3597, section
// 5).
func isDataType(kind string) bool {
	number, generic := strings.CutPrefix(kind, "TYPE")
	if _, err := strconv.ParseUint(number, 10, 16); generic && err == nil {
		return true
	}
	return strings.Contains(dataTypes, " "+kind+" ")
}

// recordDestination returns the destination of an address or CNAME record. It returns false for other types, and for
// invalid data.
func recordDestination(kind, data string) (to destination, ok bool) {
	a, errAddr := netip.ParseAddr(data)
	n, errName := blocklist.ParseName(data)
	switch kind {
	case "A", "AAAA":
		return destination{addr: a.Unmap()}, errAddr == nil && a.Is4() == (kind == "A")
	case "CNAME":
		return destination{name: n}, errName == nil
	}
	return to, false
}
