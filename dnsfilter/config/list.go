package config

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
)

// readList parses one list and adds an error for each key that is missing or contradicts another key.
func (s *Settings) readList(r *reader, n *yaml.Node) {
	l := List{Rule: dnsfilter.Rule{Action: dnsfilter.NXDomain}, position: r.position(n), text: textOf(n)}
	given := map[string]bool{}
	known := fields{
		"name":     scalar(r, &l.Rule.List, parseListName),
		"root":     scalar(r, &l.Root, s.path),
		"from":     scalars(r, &l.From, s.origin),
		"identity": scalar(r, &l.Identity, s.path),
		"receipts": scalar(r, &l.Receipts, s.path),
		"file":     scalar(r, &l.File, s.path),
		"format":   scalar(r, &l.Format, formats.Parse),
		"scope":    scalar(r, &l.Scope, parseScope),
		"zone":     scalar(r, &l.Zone, parseZone),
		"guard":    scalar(r, &l.Unguarded, parseGuardOff),
		"action":   scalar(r, &l.Action, dnsfilter.ParseZoneAction),
		"sinkhole": r.sinkhole(&l.Rule),
		"ede":      scalar(r, &l.Reason, dnsfilter.ParseReason),
		"ttl":      scalar(r, &l.TTL, parseBlockTTL),

		"divert":     scalars(r, &l.Divert, parseAddr),
		"stop_page":  scalars(r, &l.StopPage, parseStopPage),
		"notice":     func(n *yaml.Node) { r.readNotice(n, &l.Notice) },
		"categories": func(n *yaml.Node) { r.readCategories(n, &l.Categories) },
	}
	maps.Copy(known, s.fetchFields(r, &l))
	before := len(r.errs)
	r.mapping(n, known.recording(given))
	if given["from"] && !given["ede"] {
		l.Reason = dnsfilter.Censored
	}
	l.implied = !given["action"]
	l.setZone(given)
	if i := slices.IndexFunc(s.Lists, func(o List) bool { return o.Rule.List == l.Rule.List }); i >= 0 &&
		l.Rule.List != "" {
		r.fail(l.position, "list %q is there already, at %s", l.Rule.List, r.where(s.Lists[i].position))
	}
	if len(r.errs) == before {
		for _, why := range l.contradictions(given) {
			r.fail(l.position, "%s", why)
		}
	}
	l.broken = len(r.errs) > before
	s.Lists = append(s.Lists, l)
}

// parseZone parses the name of the zone of an RPZ file.
func parseZone(text string) (string, error) {
	name, err := blocklist.ParseName(text)
	if err != nil {
		return "", fmt.Errorf("zone %q: %w", text, err)
	}
	return name.String(), nil
}

// parseStopPage parses the address or the name of a stop page.
func parseStopPage(text string) (string, error) {
	if _, err := parseAddr(text); err == nil {
		return text, nil
	}
	if _, err := blocklist.ParseName(text); err != nil {
		return "", fmt.Errorf("stop_page %q: write an address or a name", text)
	}
	return text, nil
}

// parseGuardOff parses the value of the key guard of a list. Only off is valid, for which it returns true.
func parseGuardOff(text string) (off bool, err error) {
	if text != "off" {
		return false, fmt.Errorf("guard %q: a list has the guards of the settings, or guard: off", text)
	}
	return true, nil
}

func parseScope(text string) (blocklist.Scope, error) {
	for _, s := range []blocklist.Scope{blocklist.ScopeDomain, blocklist.ScopeHost} {
		if text == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown scope %q: there are domain and host", text)
}
