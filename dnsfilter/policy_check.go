package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Check returns an error that wraps [blocklist.ErrMalformed] for the first thing in the policy that can't be meant: a
// list that is neither in the store nor to come (see Later), an action or reason that no rule can have, a sinkhole
// without addresses, an address that is none, a quorum of more lists than it names. [New], [Server.Reconfigure] and
// [NewFilter] ask it. Whether the store has lists that the policy does not name, [Policy.Unused] says.
func (p *Policy) Check(store *blocklist.Store) error {
	c := policyCheck{store, p.Later}
	if err := c.view(p.general()); err != nil {
		return err
	}
	for _, v := range p.Views {
		if err := c.view(v); err != nil {
			return err
		}
	}
	return nil
}

// Unused returns the lists of a store that nothing in the policy names, views included: a rule that was forgotten, or a
// list whose name is written in two ways.
func (p *Policy) Unused(store *blocklist.Store) (lists []string) {
	for _, info := range store.Lists() {
		if !slices.ContainsFunc(append([]View{p.general()}, p.Views...), func(v View) bool { return v.names(info.List) }) {
			lists = append(lists, info.List)
		}
	}
	return lists
}

// names reports whether the view has something to do with a list.
func (v *View) names(list string) bool {
	return slices.Contains(v.Allow, list) ||
		slices.ContainsFunc(v.Rules, func(r Rule) bool { return r.List == list }) ||
		slices.ContainsFunc(v.Quorums, func(q Quorum) bool { return slices.Contains(q.Lists, list) })
}

// policyCheck checks a policy against the lists that there are.
type policyCheck struct {
	store *blocklist.Store
	later []string
}

func (c policyCheck) view(v View) error {
	for _, list := range v.Allow {
		if err := c.list(list); err != nil {
			return err
		}
	}
	for i := range v.Rules {
		if err := c.list(v.Rules[i].List); err != nil {
			return err
		}
		if err := v.Rules[i].check(); err != nil {
			return err
		}
	}
	for i := range v.Quorums {
		if err := c.quorum(&v.Quorums[i]); err != nil {
			return err
		}
	}
	return nil
}

// list returns an error for a list that there is not.
func (c policyCheck) list(name string) error {
	if slices.Contains(c.later, name) {
		return nil
	}
	if c.store != nil {
		if _, ok := c.store.List(name); ok {
			return nil
		}
	}
	return fmt.Errorf("checking a policy: %w: the store has no list %q; load it before, or name it in Later if it is to come", blocklist.ErrMalformed, name)
}

// quorum checks a quorum. A view may leave it fewer lists than must agree.
func (c policyCheck) quorum(q *Quorum) error {
	for _, list := range q.Lists {
		if err := c.list(list); err != nil {
			return err
		}
	}
	if q.AtLeast < 1 {
		return fmt.Errorf("checking a policy: %w: quorum %q needs AtLeast: how many lists must agree", blocklist.ErrMalformed,
			q.List)
	}
	return q.check()
}

// check checks what a rule does, whatever list it is for.
func (r *Rule) check() error {
	bad := func(why string) error {
		return fmt.Errorf("checking a policy: %w: rule for %q: %s", blocklist.ErrMalformed, r.List, why)
	}
	used := r.Action == Sinkhole
	for category, a := range r.Categories {
		if used = used || a == Sinkhole; a >= Divert {
			return bad(fmt.Sprintf("action %d of category %q is none that a rule has", a, category))
		}
	}
	switch {
	case r.Action >= Divert:
		return bad(fmt.Sprintf("action %d is none that a rule has; to divert, name the proxy's addresses in Divert",
			r.Action))
	case r.Reason > NoReason:
		return bad(fmt.Sprintf("reason %d is none", r.Reason))
	case used && len(r.Sinkhole) == 0:
		return bad("the action sinkhole needs addresses in Sinkhole")
	case slices.ContainsFunc(slices.Concat(r.Sinkhole, r.Divert), func(a netip.Addr) bool { return !a.IsValid() }):
		return bad("an address is none")
	}
	return nil
}
