package formats

import (
	"net/netip"
	"strings"
	"unicode"

	"github.com/argine-dns/argine/blocklist"
)

// hosts parses a hosts file (hosts(5)): addresses, each with names. It lists names with a null address, or with the
// address of the stop page. It stores names with other addresses until the end, since the stop page may be known only
// then.
type hosts struct{ redirects }

func (h *hosts) line(t *lineSink, line string) {
	text, _, _ := strings.Cut(line, "#")
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	first, names := text, ""
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		first, names = text[:i], text[i:]
	}
	address, err := netip.ParseAddr(first)
	if err != nil || names == "" {
		t.bad(notFormat)
		return
	}
	to := destination{addr: address.Unmap()}
	for name := range strings.FieldsSeq(names) {
		if ownName(name) {
			t.skip(ownMachine)
		} else {
			h.name(t, name, to)
		}
	}
}

func (h *hosts) name(t *lineSink, name string, to destination) {
	before := len(t.out)
	t.addName(name, blocklist.HostEntry)
	if len(t.out) == before {
		return
	}
	if h.blocks(to) {
		h.kinds[to.kind()]++
		return
	}
	n, _ := t.out[before].Name()
	h.addRedirect(redirect{name: n, to: to, line: t.number})
	t.out = t.out[:before]
}

func (h *hosts) end(t *lineSink, yield func(blocklist.Entry) bool) {
	stop := h.stopPages()
	for _, l := range h.pending {
		if !stop[l.to] {
			t.note(elsewhere, l.line)
		} else if !yield(t.scoped(blocklist.HostEntry(l.name))) {
			return
		}
	}
	h.advise(t, stop)
}

// ownName reports whether a name is one that machines commonly define for themselves in hosts files.
func ownName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if !strings.Contains(name, ".") {
		return true
	}
	if name[0] == 'l' || name[0] == 'L' {
		switch strings.ToLower(name) {
		case "localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6":
			return true
		}
	}
	if !endsInDigit(name) && !strings.Contains(name, ":") { // cheap test for most names: building an error is slow
		return false
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}
