package formats

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// record is a record with an absolute owner, stored until the name of the zone is known.
type record struct {
	owner blocklist.Name
	kind  string
	data  []string
	line  int
}

// noZone is the error text for a list that does not name its zone, if all its owners share a suffix: this suffix may be
// the name of the zone.
const noZone = "it does not say the name of its zone, and all owners in it end in %s: give the zone's name " +
	"(--zone-origin, zone:), or a dot if the owners are what is listed"

// settleOwners interprets absolute owners if the name of the zone is still unknown at the end. If the zone also has
// relative owners, absolute owners are errors. If all owners share a suffix, the zone may have that name or a parent of
// it, and the list is refused until the caller gives the name. Otherwise the owners are the listed names.
func (z *zone) settleOwners(t *lineSink) {
	shared := z.sharedEnd()
	if !z.relative && shared != root {
		t.refusal = fmt.Sprintf(noZone, shared)
		return
	}
	for _, r := range z.pending {
		t.number, t.records = r.line, t.records-1 // rule and bad count it again
		if z.relative {
			t.bad("absolute owner, in a zone whose name is not known")
		} else {
			z.owner = r.owner
			z.rule(t, r.kind, r.data)
		}
	}
}

// sharedEnd returns the longest common suffix of all absolute owners.
func (z *zone) sharedEnd() blocklist.Name {
	if len(z.pending) == 0 {
		return root
	}
	shared := z.pending[0].owner
	for _, r := range z.pending {
		for shared != root && !r.owner.Within(shared) {
			shared, _ = shared.Parent()
		}
	}
	return shared
}

// begin makes the owner of the SOA record the apex of the zone. It does nothing if the owner is @ and the origin is
// unknown.
func (z *zone) begin() {
	if z.owner == root && !z.absolute {
		return
	}
	z.apex = z.owner
	if z.origin == "" {
		z.origin = z.owner
	}
}

func (z *zone) directive(t *lineSink, fields []string) {
	switch kind := strings.ToUpper(fields[0]); {
	case kind == "$TTL":
	case kind == "$ORIGIN" && len(fields) == 2:
		origin, ok := z.readName(fields[1])
		if !ok {
			t.bad(notName)
			return
		}
		if z.apex == "" && origin != root { // the root only says that names are absolute
			z.apex = origin
		}
		z.origin = origin
	default:
		t.skip("directive, unsupported")
	}
}

// readName parses a name, which may be relative to the origin. If the origin is unknown, it uses the root as origin.
func (z *zone) readName(text string) (blocklist.Name, bool) {
	origin := cmp.Or(z.origin, root)
	if text == "@" {
		return origin, true
	}
	n, err := blocklist.ParseName(text)
	if err == nil && !isAbsolute(text) {
		n = n[:len(n)-1] + origin
	}
	return n, err == nil && len(n) <= blocklist.MaxName && text[0] != '"' // quotes are for strings
}

// isAbsolute reports whether a name ends in an unescaped dot.
func isAbsolute(text string) bool {
	name, ok := strings.CutSuffix(text, ".")
	escapes := len(name) - len(strings.TrimRight(name, `\`))
	return ok && escapes%2 == 0
}
