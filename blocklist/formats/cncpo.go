package formats

import (
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// cncpo reads the list of the Italian police's centre against child abuse online: a row with the number and the time of
// the list, then rows of url;domain;ip-url;ip.
type cncpo struct {
	reference string // from the first row
	wrong     bool   // the first row is another
}

func (c *cncpo) end(*tally, func(blocklist.Entry) bool) {}

func (c *cncpo) line(t *tally, text string) {
	fields := split(text, ';')
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	switch {
	case len(fields) == 0:
	case c.wrong:
		t.bad(notThis)
	case c.reference == "":
		c.header(t, fields)
	case len(fields) > 4:
		t.bad(notThis)
	default:
		c.row(t, append(fields, "", "", "", "")[:4])
	}
}

func (c *cncpo) header(t *tally, fields []string) {
	if len(fields) != 2 || strings.Trim(fields[0], "0123456789") != "" || strings.Trim(fields[1], "0123456789-/:.TZ+ ") != "" {
		c.wrong = true
		t.bad("first row without number and time of the list")
		return
	}
	c.reference = "CNCPO " + fields[0] + " " + fields[1]
}

// row reads url and domain, or the two fields of the same meaning for addresses.
func (c *cncpo) row(t *tally, fields []string) {
	url, name, address := fields[0], fields[1], false
	if url == "" && name == "" {
		url, name, address = fields[2], fields[3], true
	}
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
