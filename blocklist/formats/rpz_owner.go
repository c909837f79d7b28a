package formats

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// record is one whose owner is absolute, while it is not known which part of that is the name of the zone.
type record struct {
	owner blocklist.Name
	kind  string
	data  []string
	line  int
}

// noZone is said of a zone without a name.
const noZone = "it does not say the name of its zone, and all owners in it end in %s: give the zone's name " +
	"(--zone-origin, zone:), or a dot if the owners are what is listed"

// settleOwners decides on absolute owners where the end has come and the zone still has no name. Beside relative
// ones, each is a mistake. If all share their end, that has the zone's name in it. Else no zone has them all, and
// they are what is listed.
func (z *zone) settleOwners(t *lineSink) {
	shared := z.sharedEnd()
	if !z.relative && shared != root {
		t.refusal = fmt.Sprintf(noZone, shared)
		return
	}
	for _, r := range z.pending {
		t.number, t.records = r.line, t.records-1 // it is counted again
		if z.relative {
			t.bad("absolute owner, in a zone whose name is not known")
		} else {
			z.owner = r.owner
			z.rule(t, r.kind, r.data)
		}
	}
}

// sharedEnd returns the name that all absolute owners lie below, or are.
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

// begin takes the owner of the SOA record for the name of the zone, unless that is an @ which stands for an unknown
// one.
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
		if z.apex == "" && origin != root { // which says that all names are absolute, no more
			z.apex = origin
		}
		z.origin = origin
	default:
		t.skip("directive, unsupported")
	}
}

// readName reads a name of the file, which may be relative to the origin. Relative to an unknown one, names are taken
// as they stand.
func (z *zone) readName(text string) (blocklist.Name, bool) {
	origin := cmp.Or(z.origin, root)
	if text == "@" {
		return origin, true
	}
	n, err := blocklist.ParseName(text)
	if err == nil && !isAbsolute(text) {
		n = n[:len(n)-1] + origin
	}
	return n, err == nil && len(n) <= blocklist.MaxName && text[0] != '"' // quotation marks are for strings
}

// isAbsolute reports whether a name ends in a dot that is not escaped.
func isAbsolute(text string) bool {
	name, ok := strings.CutSuffix(text, ".")
	escapes := len(name) - len(strings.TrimRight(name, `\`))
	return ok && escapes%2 == 0
}
