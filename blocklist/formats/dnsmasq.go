package formats

import (
	"strings"
)

// dnsmasq parses configuration lines of dnsmasq that block names.
type dnsmasq struct{ *deferred }

func (d dnsmasq) line(t *lineSink, text string) {
	text = cutComment(text)
	if text == "" {
		return
	}
	key, value, _ := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	names, isNames := strings.CutPrefix(value, "/")
	switch {
	case !isSetting(key):
		t.bad(notFormat)
	case !isNames || key != "address" && key != "server" && key != "local":
		t.skip(otherSetting)
	default:
		d.names(t, key, strings.Split(names, "/"))
	}
}

// names parses the names between the slashes of a line. The text after the last slash says how they are answered.
func (d dnsmasq) names(t *lineSink, key string, fields []string) {
	if len(fields) < 2 {
		t.bad(notFormat)
		return
	}
	m, to := dnsmasqAction(key, fields[len(fields)-1])
	for _, text := range fields[:len(fields)-1] {
		switch text = strings.TrimLeft(text, "."); {
		case text == "" || strings.ContainsAny(text, "*#"):
			t.skip(patternRule)
		default:
			d.text(t, text, m, to)
		}
	}
}

// dnsmasqAction returns the mark and the destination of a line. A line without a value, or with address=/name/#, blocks
// its names. A line with address=/name/ADDRESS gives its names that address as their destination. Any other line is an
// exception for its names.
func dnsmasqAction(key, value string) (mark, destination) {
	to, err := parseDestination(value)
	switch {
	case value == "" || key == "address" && value == "#":
		return listDomain, destination{}
	case key == "address" && err == nil && to.addr.IsValid():
		return listDomain, to
	default:
		return passDomain, destination{}
	}
}
