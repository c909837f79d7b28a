package formats

import (
	"net/netip"
	"strings"
)

// adblock reads the rules of ad blockers that concern whole names.
type adblock struct{ *held }

func (a adblock) line(t *tally, text string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || text[0] == '!' || text[0] == '[':
	case isCosmetic(text):
		t.skip("cosmetic rule, unsupported")
	case text[0] == '#':
	case strings.HasPrefix(text, "@@"):
		a.exception(t, text[2:])
	default:
		a.rule(t, text)
	}
}

func isCosmetic(rule string) bool {
	if strings.IndexByte(rule, '#') < 0 {
		return false
	}
	for _, sign := range []string{"##", "#@#", "#?#", "#$#", "#%#"} {
		if strings.Contains(rule, sign) {
			return true
		}
	}
	return false
}

// rule reads ||name^, with | behind it or not.
func (a adblock) rule(t *tally, text string) {
	name, anchored := strings.CutPrefix(text, "||")
	name, rest, separated := strings.Cut(name, "^")
	switch {
	case strings.Contains(rest, "$"):
		t.skip("rule with modifiers, unsupported")
	case !anchored || !separated || rest != "" && rest != "|" || strings.ContainsAny(name, "*/:$|"):
		t.skip(patternRule)
	default:
		a.mark(t, name, listDomain)
	}
}

// exception reads @@||name and whatever follows. An exception for some cases is one for all of them here: what is said to
// be allowed sometimes can't be listed.
func (a adblock) exception(t *tally, text string) {
	name, anchored := strings.CutPrefix(text, "||")
	if i := strings.IndexAny(name, "^/:$|*"); i >= 0 {
		name = name[:i]
	}
	if !anchored || name == "" {
		t.skip("exception that is not @@||name^, unsupported")
		return
	}
	if a.allow && !isWhole(text) {
		t.skip("exception for some cases only, unsupported")
		return
	}
	a.mark(t, name, passDomain)
}

// isWhole reports whether an exception holds for all of a name and the names below it: ||name^ and no condition.
func isWhole(exception string) bool {
	_, rest, ok := strings.Cut(exception, "^")
	rest = strings.TrimPrefix(rest, "|")
	return ok && (rest == "" || rest == "$important")
}

// mark remembers what is said of a name in text form.
func (h *held) mark(t *tally, text string, m mark) {
	n, labels := t.hostName(text)
	rest, dotted := strings.CutPrefix(text, ".")
	if dotted {
		n, labels = t.hostName(rest)
	}
	switch {
	case labels == 0:
		t.bad(notName)
	case dotted && m == listName:
		t.bad(leadingDot)
	default:
		h.name(t, n, m)
	}
}

// dnsmasq reads the settings of dnsmasq that concern names.
type dnsmasq struct{ *held }

func (d dnsmasq) line(t *tally, text string) {
	text = cutComment(text)
	if text == "" {
		return
	}
	key, value, _ := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	names, isNames := strings.CutPrefix(value, "/")
	switch {
	case !isSetting(key):
		t.bad(notThis)
	case !isNames || key != "address" && key != "server" && key != "local":
		t.skip(otherSetting)
	default:
		d.names(t, key, strings.Split(names, "/"))
	}
}

// names reads the names between slashes; what follows the last slash says what becomes of them.
func (d dnsmasq) names(t *tally, key string, fields []string) {
	if len(fields) < 2 {
		t.bad(notThis)
		return
	}
	to, m := fields[len(fields)-1], passDomain
	if _, err := netip.ParseAddr(to); to == "" || key == "address" && (to == "#" || err == nil) {
		m = listDomain
	}
	for _, name := range fields[:len(fields)-1] {
		switch name = strings.TrimLeft(name, "."); {
		case name == "" || strings.ContainsAny(name, "*#"):
			t.skip(patternRule)
		default:
			d.mark(t, name, m)
		}
	}
}

// unbound reads the settings of unbound that concern names.
type unbound struct{ *held }

func (u unbound) line(t *tally, text string) {
	text = cutComment(text)
	if text == "" {
		return
	}
	key, value, ok := strings.Cut(text, ":")
	fields := strings.Fields(strings.NewReplacer(`"`, " ", `'`, " ").Replace(value))
	switch {
	case !ok || !isSetting(key):
		t.bad(notThis)
	case key == "local-zone" && len(fields) == 2:
		u.zone(t, fields[0], fields[1])
	case key == "local-data" && len(fields) >= 3:
		u.mark(t, fields[0], listName)
	case key == "local-zone" || key == "local-data":
		t.bad(notThis)
	case len(fields) > 0: // else it begins a section
		t.skip(otherSetting)
	}
}

// isSetting tells whether key may be the name of a setting in a configuration file.
func isSetting(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// zone reads a local-zone by its type: whether names in it get their true answer.
func (u unbound) zone(t *tally, name, kind string) {
	switch kind {
	case "deny", "refuse", "static", "redirect", "inform_deny", "inform_redirect", "always_nxdomain", "always_refuse",
		"always_deny", "always_nodata", "always_null":
		u.mark(t, name, listDomain)
	case "transparent": // only its local-data has another answer
		u.mark(t, name, passBelow)
	case "typetransparent", "inform", "always_transparent", "nodefault", "noview", "block_a", "ipset":
		u.mark(t, name, passDomain)
	default:
		t.bad(notThis)
	}
}
