package dnsfilter

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Check validates the policy against the lists of a store. It returns an error that wraps [blocklist.ErrMalformed] for
// the first problem, such as a list that is neither in the store nor in Later, an action or reason that a rule can't
// have, the action Sinkhole without a sinkhole, a TTL above MaxBlockTTL, or a quorum without AtLeast. [New],
// [Server.Reconfigure] and [NewFilter] call it. For lists of the store that the policy does not use, see
// [Policy.Unused].
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

// Unused returns the lists of a store that neither the policy nor one of its views uses. The usual causes are a missing
// rule and a misspelled list name.
func (p *Policy) Unused(store *blocklist.Store) (lists []string) {
	for _, info := range store.Lists() {
		if !slices.ContainsFunc(append([]View{p.general()}, p.Views...), func(v View) bool { return v.names(info.List) }) {
			lists = append(lists, info.List)
		}
	}
	return lists
}

// names reports whether a list appears in the view: as an allow list, in a rule or in a quorum.
func (v *View) names(list string) bool {
	return slices.Contains(v.Allow, list) ||
		slices.ContainsFunc(v.Rules, func(r Rule) bool { return r.List == list }) ||
		slices.ContainsFunc(v.Quorums, func(q Quorum) bool { return slices.Contains(q.Lists, list) })
}

// policyCheck validates a policy against the lists of a store.
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
		if err := c.source(&v.Rules[i]); err != nil {
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

// source returns an error if the list or the policy zone of a rule can't be used.
func (c policyCheck) source(r *Rule) error {
	switch {
	case r.Zone == nil:
		return c.list(r.List)
	case c.store == nil:
		return fmt.Errorf("checking a policy: %w: policy zone %s needs a store, which may be empty", blocklist.ErrMalformed, r.List)
	case len(r.Categories)+len(r.Divert) > 0:
		return fmt.Errorf("checking a policy: %w: policy zone %s has neither Categories nor Divert", blocklist.ErrMalformed, r.List)
	}
	return nil
}

// list returns an error if a list is neither in the store nor in Later.
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

// quorum validates a quorum. AtLeast may exceed the number of lists, since a view may exclude some of them.
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

// HasSinkhole reports whether the rule has addresses or a name for the action Sinkhole.
func (r *Rule) HasSinkhole() bool { return len(r.Sinkhole) > 0 || r.SinkholeName != "" }

// hasAction reports whether a rule can have its action. Divert and LocalData are actions of decisions only.
func (r *Rule) hasAction() bool {
	return r.Action <= Passthru && r.Action != Divert && r.Action != LocalData
}

// check validates the fields of a rule, except its list.
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
	case !r.hasAction():
		return bad(fmt.Sprintf("action %d is none that a rule has; to divert, name the proxy's addresses in Divert",
			r.Action))
	case r.Zone == nil && r.Action >= TCPOnly:
		return bad(fmt.Sprintf("the action %s is for a policy zone", r.Action))
	case r.TTL > MaxBlockTTL:
		return bad(fmt.Sprintf("a TTL of %d seconds is longer than a day", r.TTL))
	case r.Reason > NoReason:
		return bad(fmt.Sprintf("reason %d is none", r.Reason))
	case used && !r.HasSinkhole():
		return bad("the action sinkhole needs addresses in Sinkhole, or a name in SinkholeName")
	case len(r.Sinkhole) > 0 && r.SinkholeName != "":
		return bad("the action sinkhole leads to addresses or to a name, not to both")
	case slices.ContainsFunc(slices.Concat(r.Sinkhole, r.Divert), func(a netip.Addr) bool { return !a.IsValid() }):
		return bad("an address is none")
	}
	return nil
}
