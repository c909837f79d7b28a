package config

import (
	"fmt"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter"
)

// quorumPrefix begins the names that quorums are counted under.
const quorumPrefix = "quorum/"

// View says what is different for some clients.
type View struct {
	// the networks; of several views that a client is in, the one with the longest prefix counts
	Clients []netip.Prefix
	Lists   []string                    // those that apply, for quorums, too; nil: all
	Actions map[string]dnsfilter.Action // by list, in place of all that it says itself
}

// readQuorum reads one quorum.
func (s *Settings) readQuorum(r *reader, n *yaml.Node) {
	q := dnsfilter.Quorum{Rule: dnsfilter.Rule{List: fmt.Sprintf("%s%d", quorumPrefix, len(s.Quorums)+1),
		Action: dnsfilter.NXDomain}}
	before := len(r.errs)
	r.mapping(n, fields{
		"lists":    s.listNames(r, &q.Lists),
		"at_least": scalar(r, &q.AtLeast, parseCount),
		"action":   scalar(r, &q.Action, dnsfilter.ParseAction),
		"sinkhole": scalars(r, &q.Sinkhole, parseAddr),
		"ede":      scalar(r, &q.Reason, dnsfilter.ParseReason),
		"notice":   func(n *yaml.Node) { r.readNotice(n, &q.Notice) },
	})
	if len(r.errs) == before {
		at := positionOf(n)
		if len(q.Lists) < 2 {
			r.fail(at, "a quorum needs lists: two at least")
		}
		if q.AtLeast < 1 || q.AtLeast > len(q.Lists) {
			r.fail(at, "a quorum needs at_least: how many of its %d lists must agree", len(q.Lists))
		}
		r.checkSinkhole(at, q.Rule, false)
	}
	s.Quorums = append(s.Quorums, q)
}

// readView reads what is different for some clients.
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

// viewNetworks reads the networks of a view. A network is in one view only, and somebody in it has to be served.
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
					r.fail(positionOf(item), "nobody in %s is served: name the network under clients, too", network)
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
		if scalar(r, &action, dnsfilter.ParseAction)(value); action != dnsfilter.Pass {
			v.Actions[list] = action
		}
		r.whenRead(func() {
			l := s.list(list)
			switch {
			case l == nil:
				r.fail(positionOf(key), "there is no list %q", list)
			case v.Lists != nil && !slices.Contains(v.Lists, list):
				r.fail(positionOf(key), "list %q is not among the lists of this view", list)
			case action == dnsfilter.Sinkhole && len(l.Sinkhole) == 0:
				r.fail(positionOf(value), "list %q has no sinkhole addresses", list)
			}
		})
	})
}

// readCategories reads the actions of categories.
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

// parseCategoryAction reads an action; pass leaves a category out.
func parseCategoryAction(text string) (dnsfilter.Action, error) {
	if text == dnsfilter.Pass.String() {
		return dnsfilter.Pass, nil
	}
	return dnsfilter.ParseAction(text)
}

// listNames reads names of lists, each of which must be there, and only once.
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

// list returns the list with a name, nil if there is none.
func (s *Settings) list(name string) *List {
	for i := range s.Lists {
		if s.Lists[i].Rule.List == name {
			return &s.Lists[i]
		}
	}
	return nil
}

// finishLists gives lists their action that have none of their own: those of a quorum don't act alone.
func (s *Settings) finishLists(r *reader) {
	for i := range s.Lists {
		l := &s.Lists[i]
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

// checkSinkhole compares addresses and actions.
func (r *reader) checkSinkhole(at position, rule dnsfilter.Rule, usedElsewhere bool) {
	used := rule.Action == dnsfilter.Sinkhole
	for _, action := range rule.Categories {
		used = used || action == dnsfilter.Sinkhole
	}
	switch has := len(rule.Sinkhole) > 0; {
	case used && !has:
		r.fail(at, "the action sinkhole needs addresses: sinkhole: [192.0.2.80]")
	case has && !used && !usedElsewhere:
		r.fail(at, "sinkhole addresses are used by the action sinkhole only")
	}
}

// policyView returns what happens for the clients of a view.
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

// Policy returns what the lists do.
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
