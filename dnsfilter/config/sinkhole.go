package config

import (
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// sinkhole returns a parser of the key sinkhole: IP addresses, or one name. The parser stores them in the rule.
func (r *reader) sinkhole(rule *dnsfilter.Rule) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var all []place
		scalars(r, &all, parsePlace)(n)
		for _, p := range all {
			if p.addr.IsValid() {
				rule.Sinkhole = append(rule.Sinkhole, p.addr)
			} else {
				rule.SinkholeName = p.name
			}
		}
		if rule.SinkholeName != "" && len(all) > 1 {
			r.fail(positionOf(n), "a sinkhole is some addresses, or one name")
		}
	}
}

// place is an item of the key sinkhole: an IP address, or a name if addr is zero.
type place struct {
	addr netip.Addr
	name blocklist.Name
}

func parsePlace(text string) (p place, err error) {
	if p.addr, err = parseAddr(text); err == nil {
		return p, nil
	}
	p.name, err = blocklist.ParseName(text)
	last := text[strings.LastIndexByte(strings.TrimSuffix(text, "."), '.')+1:]
	if err != nil || strings.Trim(last, ".0123456789") == "" || strings.Contains(text, ":") {
		return place{}, fmt.Errorf("%.100q is no IP address, nor a name like walled.example.org", text)
	}
	return place{name: p.name}, nil
}

// checkSinkhole adds an error if a rule has the action sinkhole but no sinkhole, or a sinkhole that no action uses. The
// argument usedElsewhere says that a view uses the sinkhole.
func (r *reader) checkSinkhole(at position, rule dnsfilter.Rule, usedElsewhere bool) {
	used := rule.Action == dnsfilter.Sinkhole
	for _, action := range rule.Categories {
		used = used || action == dnsfilter.Sinkhole
	}
	switch has := rule.HasSinkhole(); {
	case used && !has:
		r.fail(at, "the action sinkhole needs addresses, or a name: sinkhole: [192.0.2.80]")
	case has && !used && !usedElsewhere:
		r.fail(at, "sinkhole addresses and names are used by the action sinkhole only")
	}
}
