package formats

import (
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// cncpo parses the list of CNCPO, the Italian police's centre against online child abuse. Its first row has the number
// and the date of the list. Each following row has the fields url;domain;ip-url;ip.
type cncpo struct {
	reference string // number and date of the list, from the first row
	wrong     bool   // whether the first row lacks the number or the date
}

func (c *cncpo) end(*lineSink, func(blocklist.Entry) bool) {}

func (c *cncpo) line(t *lineSink, text string) {
	if text == "" || text[0] == '#' {
		return
	}
	fields := split(text, ';')
	quoted := fields == nil
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case quoted:
		t.bad(badQuotes)
	case len(fields) == 0:
	case c.wrong:
		t.bad(notFormat)
	case c.reference == "":
		c.header(t, fields)
	case len(fields) > 4:
		t.bad(notFormat)
	default:
		c.row(t, append(fields, "", "", "", "")[:4])
	}
}

func (c *cncpo) header(t *lineSink, fields []string) {
	if c.reference = cncpoHeader(fields); c.reference == "" {
		c.wrong = true
		t.bad("first row without number and time of the list")
	}
}

// cncpoHeader returns a reference with the number and date of the list if these are the fields of the first row. For
// any other row, it returns an empty string.
func cncpoHeader(fields []string) string {
	for len(fields) > 2 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	if len(fields) != 2 || !consistsOf(fields[0], "0123456789") || !consistsOf(fields[1], "0123456789-/:.TZ+ ") {
		return ""
	}
	return "CNCPO " + fields[0] + " " + fields[1]
}

func consistsOf(text, characters string) bool {
	return text != "" && strings.Trim(text, characters) == ""
}

// row parses a row. It uses the fields url and domain, or, if both are empty, the fields ip-url and ip.
func (c *cncpo) row(t *lineSink, fields []string) {
	url, name, address := fields[0], fields[1], false
	switch beside := fields[2] != "" || fields[3] != ""; {
	case url == "" && name == "":
		url, name, address = fields[2], fields[3], true
	case beside:
		t.note(addressBeside, t.number)
	}
	name = strings.TrimPrefix(name, ".") // a domain entry covers the names below anyway
	if url == "" {
		url = name
	}
	switch {
	case hasFragment(url):
		t.skip(withFragment)
		return
	case strings.Contains(url, "*"):
		t.skip(patternRule)
		return
	}
	e, ok := urlTarget(url)
	if !ok {
		t.bad("not a URL")
		return
	}
	host, path := urlParts(e)
	if name != "" && !sameHost(host, name) {
		t.bad("the URL and the name beside it disagree")
		return
	}
	before := len(t.out)
	switch {
	case path:
		t.add(e)
	case address:
		addIf(t, addressTarget, strings.Trim(host, "[]"), "not an address")
	default:
		t.addName(host, blocklist.DomainEntry)
	}
	for i := range t.out[before:] {
		t.out[before+i].Reference = c.reference
	}
}

func sameHost(host, name string) bool {
	if a, err := netip.ParseAddr(name); err == nil {
		return strings.Trim(host, "[]") == a.Unmap().String()
	}
	n, err := blocklist.ParseName(name)
	h, errHost := blocklist.ParseName(host)
	return err == nil && errHost == nil && n == h
}
