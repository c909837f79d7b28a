package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// quorumPrefix begins the names that quorums are counted under.
const quorumPrefix = "quorum/"

// View says what is different for some clients.
type View struct {
	Clients []netip.Prefix              // the networks; of several views that a client is in, the one with the longest prefix counts
	Lists   []string                    // those that apply, for quorums, too; nil: all
	Actions map[string]dnsfilter.Action // by list, in place of all that it says itself
}

// readQuorum reads one quorum.
func (s *Settings) readQuorum(r *reader, n *yaml.Node) {
	q := dnsfilter.Quorum{Rule: dnsfilter.Rule{List: fmt.Sprintf("%s%d", quorumPrefix, len(s.Quorums)+1), Action: dnsfilter.NXDomain}}
	before := len(r.mistakes)
	r.mapping(n, fields{
		"lists":    s.listNames(r, &q.Lists),
		"at_least": one(r, &q.AtLeast, parseCount),
		"action":   one(r, &q.Action, dnsfilter.ParseAction),
		"sinkhole": many(r, &q.Sinkhole, parseAddr),
		"ede":      one(r, &q.Reason, dnsfilter.ParseReason),
		"notice":   func(n *yaml.Node) { r.readNotice(n, &q.Notice) },
	})
	if len(r.mistakes) == before {
		at := placeOf(n)
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
	before := len(r.mistakes)
	r.mapping(n, fields{
		"clients": s.viewNetworks(r, &v.Clients),
		"lists":   func(n *yaml.Node) { v.Lists = []string{}; s.listNames(r, &v.Lists)(n) },
		"actions": func(n *yaml.Node) { s.readViewActions(r, n, &v) },
	})
	if len(v.Clients) == 0 && len(r.mistakes) == before {
		r.fail(placeOf(n), "a view needs clients: the networks that it is for")
	}
	s.Views = append(s.Views, v)
}

// viewNetworks reads the networks of a view. A network is in one view only, and somebody in it has to be served.
func (s *Settings) viewNetworks(r *reader, dst *[]netip.Prefix) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var network netip.Prefix
			if one(r, &network, parseNetwork)(item); !network.IsValid() {
				return
			}
			if slices.Contains(*dst, network) || slices.ContainsFunc(s.Views, func(v View) bool { return slices.Contains(v.Clients, network) }) {
				r.fail(placeOf(item), "network %s has a view already", network)
			}
			*dst = append(*dst, network)
			r.later(func() {
				served := s.Clients
				if len(served) == 0 {
					served = dnsfilter.DefaultClients()
				}
				if !slices.ContainsFunc(served, network.Overlaps) {
					r.fail(placeOf(item), "nobody in %s is served: name the network under clients, too", network)
				}
			})
		})
	}
}

func (s *Settings) readViewActions(r *reader, n *yaml.Node, v *View) {
	v.Actions = make(map[string]dnsfilter.Action)
	r.pairs(n, func(key, value *yaml.Node) {
		list := key.Value
		var action dnsfilter.Action
		if one(r, &action, dnsfilter.ParseAction)(value); action != dnsfilter.Pass {
			v.Actions[list] = action
		}
		r.later(func() {
			l := s.list(list)
			switch {
			case l == nil:
				r.fail(placeOf(key), "there is no list %q", list)
			case v.Lists != nil && !slices.Contains(v.Lists, list):
				r.fail(placeOf(key), "list %q is not among the lists of this view", list)
			case action == dnsfilter.Sinkhole && len(l.Sinkhole) == 0:
				r.fail(placeOf(value), "list %q has no sinkhole addresses", list)
			}
		})
	})
}

// readCategories reads the actions of categories.
func (r *reader) readCategories(n *yaml.Node, dst *map[string]dnsfilter.Action) {
	*dst = make(map[string]dnsfilter.Action)
	r.pairs(n, func(key, value *yaml.Node) {
		one(r, new(dnsfilter.Action), func(text string) (dnsfilter.Action, error) {
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
			if one(r, &name, parseListName)(item); name == "" {
				return
			}
			if slices.Contains(*dst, name) {
				r.fail(placeOf(item), "list %q is named twice", name)
			}
			*dst = append(*dst, name)
			r.later(func() {
				if s.list(name) == nil {
					r.fail(placeOf(item), "there is no list %q", name)
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
			r.checkSinkhole(l.place, l.Rule, inView)
		}
	}
}

// checkSinkhole compares addresses and actions.
func (r *reader) checkSinkhole(at place, rule dnsfilter.Rule, usedElsewhere bool) {
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

func parseListName(text string) (string, error) {
	for _, taken := range []string{allowPrefix, quorumPrefix} {
		if strings.HasPrefix(text, taken) {
			return "", fmt.Errorf("list name %q: names below %s are taken", text, taken)
		}
	}
	return text, blocklist.CheckListName(text)
}

func parseCount(text string) (int, error) {
	n, err := parseDecimal(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, fmt.Errorf("number %q: write one from 1 on, in decimal", text)
	}
	return int(n), nil
}
