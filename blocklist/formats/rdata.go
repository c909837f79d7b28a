package formats

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// otherData is what becomes of a record that gives a name neither an address nor another name.
const otherData = "data of other types, not blocked"

// isTTL reports whether a field is a time to live: seconds, or numbers with units.
func isTTL(field string) bool {
	return field[0] >= '0' && field[0] <= '9' && strings.Trim(field, "0123456789smhdwSMHDW") == ""
}

// dataTypes are the record types that may stand as local data.
const dataTypes = " A AAAA CAA HINFO HTTPS LOC MX NAPTR PTR SPF SRV SSHFP SVCB TLSA TXT URI "

// isDataType reports whether a record of the type may stand as local data, also as TYPE1234 (RFC 3597, section 5).
func isDataType(kind string) bool {
	number, generic := strings.CutPrefix(kind, "TYPE")
	if _, err := strconv.ParseUint(number, 10, 16); generic && err == nil {
		return true
	}
	return strings.Contains(dataTypes, " "+kind+" ")
}

// recordDestination returns where a record leads its owner, if it is of a type that does.
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
