package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter"
)

// readQuorum parses one quorum.
func (s *Settings) readQuorum(r *reader, n *yaml.Node) {
	q := dnsfilter.Quorum{Rule: dnsfilter.Rule{
		List:   fmt.Sprintf("%s%d", quorumPrefix, len(s.Quorums)+1),
		Action: dnsfilter.NXDomain,
	}}
	before := len(r.errs)
	r.mapping(n, fields{
		"lists":    s.listNames(r, &q.Lists),
		"at_least": scalar(r, &q.AtLeast, parseCount),
		"action":   scalar(r, &q.Action, dnsfilter.ParseAction),
		"sinkhole": r.sinkhole(&q.Rule),
		"ede":      scalar(r, &q.Reason, dnsfilter.ParseReason),
		"ttl":      scalar(r, &q.TTL, parseBlockTTL),
		"notice":   func(n *yaml.Node) { r.readNotice(n, &q.Notice) },
	})
	if len(r.errs) == before {
		r.checkQuorum(positionOf(n), q)
	}
	s.Quorums = append(s.Quorums, q)
}

// readView parses one view.
func (s *Settings) readView(r *reader, n *yaml.Node) {
	var v View
	before := len(r.errs)
	r.mapping(n, fields{
		"clients": s.viewNetworks(r, &v.Clients),
		"lists":   func(n *yaml.Node) { v.Lists = []string{}; s.listNames(r, &v.Lists)(n) },
		"actions": func(n *yaml.Node) { s.readViewActions(r, n, &v) },
	})
	if len(v.Clients) == 0 && len(r.errs) == before {
		r.fail(positionOf(n), "a view needs clients: the networks that it is for")
	}
	s.Views = append(s.Views, v)
}

// viewNetworks returns a parser of the client networks of a view. A network can be in one view only, and must include
// served clients.
func (s *Settings) viewNetworks(r *reader, dst *[]netip.Prefix) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var network netip.Prefix
			if scalar(r, &network, parseNetwork)(item); !network.IsValid() {
				return
			}
			if slices.Contains(*dst, network) || slices.ContainsFunc(s.Views,
				func(v View) bool { return slices.Contains(v.Clients, network) }) {
				r.fail(positionOf(item), "network %s has a view already", network)
			}
			*dst = append(*dst, network)
			r.whenRead(func() {
				served := s.Clients
				if len(served) == 0 {
					served = dnsfilter.DefaultClients()
				}
				if !slices.ContainsFunc(served, network.Overlaps) {
					r.fail(positionOf(item), "no one in %s is served: name the network under clients, too", network)
				}
			})
		})
	}
}

func (s *Settings) readViewActions(r *reader, n *yaml.Node, v *View) {
	v.Actions = make(map[string]dnsfilter.Action)
	r.eachPair(n, func(key, value *yaml.Node) {
		list := key.Value
		var action dnsfilter.Action
		if scalar(r, &action, dnsfilter.ParseZoneAction)(value); action != dnsfilter.Pass {
			v.Actions[list] = action
		}
		r.whenRead(func() {
			l := s.list(list)
			switch {
			case l == nil:
				r.fail(positionOf(key), "there is no list %q", list)
			case v.Lists != nil && !slices.Contains(v.Lists, list):
				r.fail(positionOf(key), "list %q is not among the lists of this view", list)
			case l.RPZ == "" && forZones(action):
				r.fail(positionOf(value), "%s", onlyForZones(action))
			case action == dnsfilter.Sinkhole && !l.HasSinkhole():
				r.fail(positionOf(value), "list %q has no sinkhole", list)
			}
		})
	})
}

// readCategories parses the key categories of a list: an action for each category.
func (r *reader) readCategories(n *yaml.Node, dst *map[string]dnsfilter.Action) {
	*dst = make(map[string]dnsfilter.Action)
	r.eachPair(n, func(key, value *yaml.Node) {
		scalar(r, new(dnsfilter.Action), func(text string) (dnsfilter.Action, error) {
			action, err := parseCategoryAction(text)
			(*dst)[key.Value] = action
			return action, err
		})(value)
	})
}

// parseCategoryAction parses the action of a category. The action pass means that the category is not blocked.
func parseCategoryAction(text string) (dnsfilter.Action, error) {
	if text == dnsfilter.Pass.String() {
		return dnsfilter.Pass, nil
	}
	return dnsfilter.ParseAction(text)
}

// listNames returns a parser of a sequence of list names. Each list must exist, and may appear only once.
func (s *Settings) listNames(r *reader, dst *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var name string
			if scalar(r, &name, parseListName)(item); name == "" {
				return
			}
			if slices.Contains(*dst, name) {
				r.fail(positionOf(item), "list %q is named twice", name)
			}
			*dst = append(*dst, name)
			r.whenRead(func() {
				if s.list(name) == nil {
					r.fail(positionOf(item), "there is no list %q", name)
				}
			})
		})
	}
}

// list returns the list with a name, or nil if there is none.
func (s *Settings) list(name string) *List {
	for i := range s.Lists {
		if s.Lists[i].Rule.List == name {
			return &s.Lists[i]
		}
	}
	return nil
}

// finishLists completes the lists and quorums after all keys are parsed. Those without a TTL get the TTL of the
// settings. A list in a quorum gets the action pass if its own action is not set, so that it acts only in the quorum.
func (s *Settings) finishLists(r *reader) {
	for i := range s.Quorums {
		s.Quorums[i].TTL = cmp.Or(s.Quorums[i].TTL, s.BlockTTL)
	}
	for i := range s.Lists {
		l := &s.Lists[i]
		l.TTL = cmp.Or(l.TTL, s.BlockTTL)
		named := func(q dnsfilter.Quorum) bool { return slices.Contains(q.Lists, l.Rule.List) }
		if l.implied && slices.ContainsFunc(s.Quorums, named) {
			l.Action = dnsfilter.Pass
		}
		inView := slices.ContainsFunc(s.Views, func(v View) bool { return v.Actions[l.Rule.List] == dnsfilter.Sinkhole })
		if !l.broken {
			r.checkSinkhole(l.position, l.Rule, inView)
		}
	}
}

// policyView converts a view of the settings to a view of the policy.
func (s *Settings) policyView(v View, p dnsfilter.Policy) dnsfilter.View {
	out := dnsfilter.View{Clients: v.Clients, Allow: p.Allow}
	applies := func(list string) bool { return v.Lists == nil || slices.Contains(v.Lists, list) }
	for _, rule := range p.Rules {
		if action, ok := v.Actions[rule.List]; ok {
			rule.Action, rule.Categories = action, nil
			if action == dnsfilter.Monitor {
				rule.Divert = nil
			}
		}
		if applies(rule.List) {
			out.Rules = append(out.Rules, rule)
		}
	}
	for _, q := range p.Quorums {
		q.Lists = slices.DeleteFunc(slices.Clone(q.Lists), func(list string) bool { return !applies(list) })
		out.Quorums = append(out.Quorums, q)
	}
	return out
}

// Policy returns the policy for the server: the rules of the lists, quorums, allow lists and views.
func (s *Settings) Policy() dnsfilter.Policy {
	p := dnsfilter.Policy{StructuredErrors: s.StructuredErrors}
	for _, path := range s.Allow {
		p.Allow = append(p.Allow, AllowName(path))
	}
	for _, l := range s.Lists {
		p.Rules = append(p.Rules, l.Rule)
		p.Later = append(p.Later, l.Rule.List)
	}
	p.Later = append(p.Later, p.Allow...)
	p.Quorums = s.Quorums
	for _, v := range s.Views {
		p.Views = append(p.Views, s.policyView(v, p))
	}
	return p
}
