package formats

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// addressWriter writes the addresses of a list for a firewall or a router.
type addressWriter struct {
	begin string // beginning of the file
	// set and end are the texts before and after the set of one address family. In these texts, and in open, close and
	// the elements, NAMEF stands for the name of the set, ipvF for ipv4 or ipv6, and AF for inet or inet6.
	set, end    string
	open, close string // texts around the elements; omitted if there are no elements
	element     func(netip.Prefix) string
	zero        bool // whether 0.0.0.0/0 and ::/0 can be elements
}

// addressWriters are the writers by format. Each writes a file that replaces the addresses in force in one step.
// nftables takes a file as one transaction. An ipset is filled under another name, and then swapped. BIRD compares the
// routes of a static protocol with its previous routes.
var addressWriters = map[Format]addressWriter{ //nolint:gochecknoglobals // a constant table
	Nftables: {
		begin: "# nft -f FILE\n",
		set: "add table inet argine\n" +
			"add set inet argine NAMEF { type ipvF_addr; flags interval; }\n" +
			"flush set inet argine NAMEF\n",
		open:    "add element inet argine NAMEF {\n", // one for all: nft takes minutes for many of them
		element: func(p netip.Prefix) string { return "\t" + shortPrefix(p) + ",\n" },
		close:   "}\n",
		zero:    true,
	},
	IPSet: {
		begin: "# ipset restore < FILE\n",
		set: "create NAMEF hash:net family AF maxelem 16777216 -exist\n" +
			"create NAMEF-new hash:net family AF maxelem 16777216 -exist\n" +
			"flush NAMEF-new\n",
		element: func(p netip.Prefix) string { return "add NAMEF-new " + shortPrefix(p) + "\n" },
		end:     "swap NAMEF-new NAMEF\ndestroy NAMEF-new\n",
	},
	BIRD: {
		begin: "# include \"FILE\"; then birdc configure. Don't export the routes to other networks (RFC 7999, section 3.2).\n",
		set:   "protocol static NAMEF {\n\tipvF;\n",
		element: func(p netip.Prefix) string {
			return "\troute " + p.String() + " blackhole { bgp_community.add((65535, 666)); };\n"
		},
		end:  "}\n",
		zero: true,
	},
}

// maxSetName is the maximum length of the name of a set, without family and suffix. The name of an ipset has at most
// 31 characters.
const maxSetName = 26

// checkSetName returns the name of the set, or the default name. It fails for a name that is not valid in all
// programs.
func (o WriteOptions) checkSetName(f Format) (string, error) {
	name := cmp.Or(o.Set, "blocked")
	other := func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	if len(name) > maxSetName || strings.ContainsFunc(name, other) || strings.ContainsAny(name[:1], "_0123456789") {
		return "", fmt.Errorf("writing %s: set %q: %w: write a letter, then letters, digits and underscores, %d at most", f, name,
			blocklist.ErrMalformed, maxSetName)
	}
	return name, nil
}

// address is the [encoder] of the address formats. It writes nothing itself: addressSets writes the recorded entries at
// the end. It returns false if the format can't express the entry.
func (w *writer) address(e blocklist.Entry) bool {
	p, ok := e.Prefix()
	return ok && (p.Bits() > 0 || w.addresses.zero)
}

// addressSets writes the recorded addresses and networks, except those inside another network of the list: not all
// programs accept overlapping networks.
func (w *writer) addressSets() {
	a := w.addresses
	w.put(a.begin)
	for _, family := range []string{"4", "6"} {
		af := map[string]string{"4": "inet", "6": "inet6"}[family]
		names := strings.NewReplacer("NAMEF", w.setName+family, "ipvF", "ipv"+family, "AF", af)
		fill := func(text string) { w.put(names.Replace(text)) }
		fill(a.set)
		if all := w.outermost(family == "4"); len(all) > 0 {
			fill(a.open)
			for _, p := range all {
				fill(a.element(p))
			}
			fill(a.close)
		}
		fill(a.end)
	}
}

// outermost returns the recorded networks of an address family that are not inside another one, sorted. It counts the
// others as covered.
func (w *writer) outermost(is4 bool) (all []netip.Prefix) {
	for p := range w.seen.ips {
		if p.Addr().Is4() == is4 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	outer := netip.Prefix{}
	return slices.DeleteFunc(all, func(p netip.Prefix) bool {
		if outer.IsValid() && outer.Contains(p.Addr()) {
			w.done.Covered++
			return true
		}
		outer = p
		return false
	})
}

// shortPrefix returns the text of a network, or only the address if the network has just one.
func shortPrefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
