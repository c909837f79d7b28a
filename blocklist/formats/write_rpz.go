package formats

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// zoneHeader writes the TTL, the origin, and the SOA and NS records of the zone.
func (w *writer) zoneHeader(o WriteOptions) error {
	if o.Zone == "" {
		o.Zone = "rpz"
	}
	apex, err := blocklist.ParseName(o.Zone)
	if err != nil || apex.IsRoot() {
		return fmt.Errorf("writing rpz: zone %q: %w: give the name of the zone", o.Zone, blocklist.ErrMalformed)
	}
	w.apex = apex
	w.put("$TTL 300\n$ORIGIN ", apex.String(), ".\n")
	w.put("@ SOA localhost. nobody.invalid. ", strconv.FormatUint(uint64(max(o.Serial, 1)), 10), " 3600 600 604800 60\n")
	w.put("@ NS localhost.\n")
	return nil
}

// rpz is the [encoder] of RPZ. It writes nothing itself: the method zone writes the recorded entries at the end. It
// returns false if no trigger has exactly the meaning of the entry.
func (w *writer) rpz(e blocklist.Entry) bool {
	_, ok := RPZTrigger(e, w.apex)
	return ok
}

// RPZTrigger returns the owner of an entry's trigger in a response policy zone, as a name relative to the zone: the
// name itself, or the form of rpz-ip. An entry of scope domain has a second trigger, the wildcard below that name. It
// returns false if no trigger has exactly the meaning of the entry: for a URL, for a name that would be another
// trigger, and for a name that is too long below the name of the zone.
func RPZTrigger(e blocklist.Entry, zone blocklist.Name) (owner blocklist.Name, ok bool) {
	if p, ok := e.Prefix(); ok {
		owner, err := blocklist.ParseName(reversed(p) + ".rpz-ip")
		return owner, err == nil
	}
	owner, ok = e.Name()
	room := blocklist.MaxName - (len(zone) - len(root))
	if e.Scope == blocklist.ScopeDomain {
		room -= len(star)
	}
	return owner, ok && len(owner) <= room && !isTrigger(owner)
}

// zone writes the records of all entries, except names below a listed domain. A record of such a name would narrow the
// domain, since a wildcard does not cover names below another owner of the zone (RFC 4592, section 2.2.1).
func (w *writer) zone() {
	for _, n := range inOrder(w.seen.names) {
		if below(w.seen.names, n, listBelow) {
			w.done.Covered++
			continue
		}
		name := n.String()
		w.put(name, " CNAME .\n")
		if w.seen.names[n].mark&listBelow != 0 {
			w.put("*.", name, " CNAME .\n")
		}
	}
	for _, p := range inOrder(w.seen.ips) {
		w.put(reversed(p), ".rpz-ip CNAME .\n")
	}
}

// isTrigger reports whether a name would have another meaning as an owner in a policy zone.
func isTrigger(n blocklist.Name) bool {
	return strings.HasPrefix(string(n), star) || strings.HasPrefix(topLabel(n), "rpz-")
}

// reversed returns a prefix in the form of an address trigger: the length, then the address from its end, as in
// 24.0.2.0.192 or 32.zz.db8.2001.
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
