package formats

import (
	"strings"
)

// unbound parses configuration lines of unbound that block names.
type unbound struct{ *deferred }

func (u unbound) line(t *lineSink, text string) {
	text = cutComment(text)
	if text == "" {
		return
	}
	key, value, ok := strings.Cut(text, ":")
	fields := strings.Fields(strings.NewReplacer(`"`, " ", `'`, " ").Replace(value))
	switch {
	case !ok || !isSetting(key):
		t.bad(notFormat)
	case key == "local-zone" && len(fields) == 2:
		u.zone(t, fields[0], fields[1])
	case key == "local-data" && len(fields) >= 3:
		u.data(t, fields[0], fields[1:])
	case key == "local-zone" || key == "local-data":
		t.bad(notFormat)
	case len(fields) > 0: // otherwise it is the header of a section
		t.skip(otherSetting)
	}
}

// zone parses a local-zone. The type of the zone decides whether it blocks the names in it, or gives them their true
// answer.
func (u unbound) zone(t *lineSink, name, kind string) {
	switch kind {
	case "deny", "refuse", "static", "inform_deny", "always_nxdomain", "always_refuse", "always_deny", "always_nodata",
		"always_null":
		u.text(t, name, listDomain, destination{})
	case "redirect", "inform_redirect": // the local-data of the zone has the destination
		u.redirect(t, name)
	case "transparent": // only names with local-data get another answer
		u.text(t, name, passBelow, destination{})
	case "typetransparent", "inform", "always_transparent", "nodefault", "noview", "block_a", "ipset":
		u.text(t, name, passDomain, destination{})
	default:
		t.bad(notFormat)
	}
}

// redirect records a zone of type redirect. The destination is in the local-data of the zone, which is another line.
func (u unbound) redirect(t *lineSink, text string) {
	n, labels := t.hostName(text)
	if labels == 0 {
		t.bad(notName)
		return
	}
	u.name(t, n, listDomain)
}

// data parses the record of a local-data line, with or without TTL and class.
func (u unbound) data(t *lineSink, name string, fields []string) {
	for len(fields) > 0 && (isTTL(fields[0]) || strings.EqualFold(fields[0], "IN")) {
		fields = fields[1:]
	}
	if len(fields) < 2 {
		t.bad(notFormat)
		return
	}
	to, ok := recordDestination(strings.ToUpper(fields[0]), fields[1])
	switch {
	case ok:
		u.text(t, name, listName, to)
	case isDataType(strings.ToUpper(fields[0])):
		t.skip(otherData)
	default:
		t.bad(notFormat)
	}
}
