package formats

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// zoneHeader begins the zone and reserves room for its name behind every owner.
func (w *writer) zoneHeader(o WriteOptions) error {
	if o.Zone == "" {
		o.Zone = "rpz"
	}
	apex, err := blocklist.ParseName(o.Zone)
	if err != nil || apex.IsRoot() {
		return fmt.Errorf("writing rpz: zone %q: %w: give the name of the zone", o.Zone, blocklist.ErrMalformed)
	}
	w.room -= len(apex) - len(root)
	w.put("$TTL 300\n$ORIGIN ", apex.String(), ".\n")
	w.put("@ SOA localhost. nobody.invalid. ", strconv.FormatUint(uint64(max(o.Serial, 1)), 10), " 3600 600 604800 60\n")
	w.put("@ NS localhost.\n")
	return nil
}

// rpz writes what is missing yet of an entry, each by the trigger that covers just that.
func (w *writer) rpz(e blocklist.Entry, have mark) bool {
	if p, ok := e.Prefix(); ok {
		w.put(reversed(p), ".rpz-ip CNAME .\n")
		return true
	}
	n, ok := e.Name()
	room := w.room
	if e.Scope == blocklist.ScopeDomain {
		room -= len(star)
	}
	if !ok || len(n) > room || isTrigger(n) {
		return false
	}
	name := n.String()
	if have&listName == 0 {
		w.put(name, " CNAME .\n")
	}
	if e.Scope == blocklist.ScopeDomain {
		w.put("*.", name, " CNAME .\n")
	}
	return true
}

// isTrigger tells whether a name would mean something else as an owner in a policy zone.
func isTrigger(n blocklist.Name) bool {
	return strings.HasPrefix(string(n), star) || strings.HasPrefix(topLabel(n), "rpz-")
}

// reversed writes the length of a prefix and its address from the end: 24.0.2.0.192, 32.zz.db8.2001.
func reversed(p netip.Prefix) string {
	text := p.Addr().String()
	words := strings.Split(text, ".")
	if p.Addr().Is6() {
		words = strings.FieldsFunc(strings.Replace(text, "::", ":zz:", 1), func(r rune) bool { return r == ':' })
	}
	words = append(words, "")
	slices.Reverse(words)
	words[0] = strconv.Itoa(p.Bits())
	return strings.Join(words, ".")
}
