package config

import (
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Validation of settings that are valid each by itself, but not together. The parser of a key validates its value: see
// values.go.

// contradictions returns a message for each key that is missing in the list, or contradicts another key.
func (l *List) contradictions(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(!given["name"], "a list needs a name")
	note(given["file"] && (given["from"] || given["root"]), "a list has either a file, or from and root")
	note(!given["file"] && !given["from"] && !l.Fetch.IsSet(), "a list needs from (origins) and root, or a file, a url, or a primary")
	note(given["from"] && !given["root"], "a signed list needs its root: the file that the agency hands out")
	note(given["root"] && !given["from"] && !given["file"] && !l.Fetch.IsSet(), "a signed list needs from: the origins to get it from")
	note(given["identity"] && !given["from"], "identity is for signed lists: it opens one that is confidential")
	note(given["divert"] && len(l.Divert) == 0, "divert names no address of a proxy")
	note(given["from"] && len(l.From) == 0, "from names no origin")
	note(given["receipts"] && !given["from"], "receipts are for signed lists, which have an origin")
	return slices.Concat(why, l.fetchContradictions(given), l.zoneContradictions(given), l.strayKeys(given))
}

// strayKeys returns a message for each key that does not apply to a list of this kind (signed, or from a file).
func (l *List) strayKeys(given map[string]bool) (why []string) {
	note := func(wrong bool, text string) {
		if wrong {
			why = append(why, text)
		}
	}
	note(given["from"] && (given["format"] || given["scope"]),
		"format and scope are for files; a signed list says itself what it means")
	note(given["from"] && (given["zone"] || given["stop_page"]),
		"zone and stop_page are for files; a signed list says itself what it means")
	note(given["zone"] && l.Format != "" && l.Format != formats.Auto && l.Format != formats.RPZ,
		"zone is for files of format rpz")
	note(given["guard"] && given["from"], "guard: off is for files; the guards of signed lists are always on")
	return why
}

// checkQuorum adds an error if a quorum has too few lists, if at_least is out of range, or if its sinkhole and its
// action do not match.
func (r *reader) checkQuorum(at position, q dnsfilter.Quorum) {
	if len(q.Lists) < 2 {
		r.fail(at, "a quorum needs lists: two at least")
	}
	if q.AtLeast < 1 || q.AtLeast > len(q.Lists) {
		r.fail(at, "a quorum needs at_least: how many of its %d lists must agree", len(q.Lists))
	}
	r.checkSinkhole(at, q.Rule, false)
}

// checkLoop returns an error if one of the resolvers is this server itself, which would cause a forwarding loop.
func (s *Settings) checkLoop(resolvers []upstream.Endpoint) error {
	for _, text := range s.Listen {
		_, at, err := dnsfilter.ParseListen(text)
		for _, u := range resolvers {
			own, asked := at.Addr().Unmap(), u.Addr.Addr().Unmap()
			here := own == asked || own.IsUnspecified() && asked.IsLoopback() || asked.IsUnspecified() && own.IsLoopback()
			if err == nil && here && u.Addr.Port() == at.Port() {
				return fmt.Errorf("resolver %s is this server itself: name another with upstream, or listen elsewhere", u)
			}
		}
	}
	return nil
}
