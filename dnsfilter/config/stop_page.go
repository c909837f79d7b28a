package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/stoppage"
)

// SameAddresses reports whether two stop pages have the same addresses.
func (p *StopPage) SameAddresses(other *StopPage) bool {
	return slices.Equal(p.HTTP, other.HTTP) && slices.Equal(p.HTTPS, other.HTTPS)
}

// Load reads the templates of the stop page and returns its configuration.
func (p *StopPage) Load() (c stoppage.Config, err error) {
	c.BlockedBy = p.BlockedBy
	c.Templates, err = stoppage.LoadTemplates(p.Templates)
	return c, err
}

// readStopPage parses the key stop_page. Its value is an address, or a mapping.
func (s *Settings) readStopPage(r *reader, n *yaml.Node) {
	before := len(r.errs)
	page := &s.StopPage
	address := func(n *yaml.Node) { r.readStopAddress(n, page) }
	if n.Kind == yaml.ScalarNode {
		address(n)
	} else {
		r.mapping(n, fields{
			"listen":     func(n *yaml.Node) { r.sequence(n, address) },
			"blocked_by": scalar(r, &page.BlockedBy, parseWebPage),
			"templates":  s.file(r, &page.Templates),
		})
	}
	if len(s.StopPage.HTTP) == 0 && len(r.errs) == before {
		r.fail(positionOf(n), "a stop page needs listen, with an address of http: listen: [http://192.0.2.80:80]")
	}
}

// readStopAddress parses one address of the stop page.
func (r *reader) readStopAddress(n *yaml.Node, dst *StopPage) {
	var web webAddress
	scalar(r, &web, parseWebAddress)(n)
	if slices.Contains(dst.HTTP, web.at) || slices.Contains(dst.HTTPS, web.at) {
		r.fail(positionOf(n), "address %s is there already", web.at)
	}
	switch web.scheme {
	case "http":
		dst.HTTP = append(dst.HTTP, web.at)
	case "https":
		dst.HTTPS = append(dst.HTTPS, web.at)
	}
}

type webAddress struct {
	scheme string
	at     netip.AddrPort
}

func parseWebAddress(text string) (webAddress, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	at, err := netip.ParseAddrPort(strings.TrimSuffix(rest, "/"))
	if err != nil || scheme != "http" && scheme != "https" || at.Addr().Zone() != "" {
		return webAddress{}, fmt.Errorf("address %q: write it like http://192.0.2.80:80 or http://[2001:db8::80]:80; https:// refuses TLS there", text)
	}
	return webAddress{scheme, netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, nil
}

func parseWebPage(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("page %q: write its URL, like https://isp.example/blocking", text)
	}
	return text, nil
}

// stopPageHints returns a warning for each rule with a sinkhole but no notice, since the stop page can't name an
// authority for it. It returns another warning if there is a stop page and no rule has a sinkhole.
func (s *Settings) stopPageHints(rules []dnsfilter.Rule) (hints []string) {
	if len(s.StopPage.HTTP) == 0 {
		return nil
	}
	led := false
	for _, r := range rules {
		if led = led || r.HasSinkhole(); r.HasSinkhole() && r.Notice.Authority == "" {
			hints = append(hints, fmt.Sprintf("the stop page can't say who is behind %s, nor whom to ask: give it a notice", r.List))
		}
	}
	if !led {
		hints = append(hints, "stop_page is set, and no list leads to it: that takes action: sinkhole and sinkhole: [ADDRESS]")
	}
	return hints
}
