package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/argine-dns/argine/dnsfilter"
)

// Hints returns warnings about settings that are valid but probably unintended, one sentence each.
func (s *Settings) Hints() (hints []string) {
	for _, at := range s.Listen {
		if tcp := strings.Replace(at, "udp://", "tcp://", 1); !slices.Contains(s.Listen, tcp) {
			hints = append(hints, fmt.Sprintf("listen has %s and not %s: what does not fit into a datagram can't be asked for over TCP", at, tcp))
		}
	}
	p := s.Policy()
	rules := slices.Clone(p.Rules)
	for _, q := range p.Quorums {
		rules = append(rules, q.Rule)
	}
	contact := false
	for _, r := range rules {
		contact = contact || len(r.Notice.Contact) > 0
		if r.Reason == dnsfilter.NoReason && r.Notice.Authority != "" {
			hints = append(hints, fmt.Sprintf("the notice of %s is not sent: with ede: none there is no extended error that it could go with", r.List))
		}
	}
	if s.StructuredErrors != 0 && !contact {
		hints = append(hints, "structured_errors is set, and no notice has a contact: without one, clients do not show such an error")
	}
	hints = slices.Concat(hints, s.stopPageHints(rules), s.webHints(), s.originHints(), s.outputHints(),
		s.unreadableHints())
	return append(hints, unreachable(p.Views)...)
}

// originHints returns a warning for each missing folder that a list has in its setting from. Such a folder may be a URL
// without its scheme.
func (s *Settings) originHints() (hints []string) {
	for _, l := range s.Lists {
		for _, from := range l.From {
			if strings.Contains(from, "://") {
				continue
			}
			if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
				hints = append(hints, fmt.Sprintf("list %s can't come from %s yet: there is no such folder; a URL begins with https://", l.List, from))
			}
		}
	}
	return hints
}

// outputHints returns a warning for each log and zone file whose folder is missing.
func (s *Settings) outputHints() (hints []string) {
	outputs := []string{s.QueryLog.File}
	if s.Dnstap.Network == "file" {
		outputs = append(outputs, s.Dnstap.Address)
	}
	for _, z := range s.PolicyZones {
		outputs = append(outputs, z.File)
	}
	for _, path := range outputs {
		if path == "" {
			continue
		}
		if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
			hints = append(hints, fmt.Sprintf("nothing can be written to %s: its folder is missing (the packaged service makes /var/log/dnsfilter when it starts)", path))
		}
	}
	return hints
}

// unreachable returns a warning for each quorum that a view can't reach, because the view has too few of the lists of
// the quorum.
func unreachable(views []dnsfilter.View) (hints []string) {
	for _, v := range views {
		for _, q := range v.Quorums {
			if len(q.Lists) < q.AtLeast {
				hints = append(hints, fmt.Sprintf("%s can't be reached for %s: the view has %d of its lists, and %d must agree",
					q.List, v.Clients[0], len(q.Lists), q.AtLeast))
			}
		}
	}
	return hints
}
