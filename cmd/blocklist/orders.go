package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// orderName returns the reference of an order as a phrase for a sentence.
func orderName(o blocklist.Entry) string { return cmp.Or(o.Reference, "an order without reference") }

func orderNames(orders []blocklist.Entry) string {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = orderName(o)
	}
	return strings.Join(names, ", ")
}

// orderChangeText returns the text about a change of orders, for a target that was listed before.
func orderChangeText(c publish.OrderChange) string {
	came, went := missing(c.After, c.Before), missing(c.Before, c.After)
	var parts []string
	switch {
	case len(c.After) == 0:
		return fmt.Sprintf("%s: withdrawn: %s; not listed any more", c.Target, orderNames(went))
	case len(came) > 0 && len(went) == 0:
		parts = append(parts, fmt.Sprintf("listed already under %s; %s added", orderNames(c.Before), orderNames(came)))
	case len(came) > 0:
		parts = append(parts, orderNames(came)+" added")
	}
	if len(went) > 0 {
		parts = append(parts, fmt.Sprintf("%s withdrawn; still listed under %s", orderNames(went), orderNames(c.After)))
	}
	for _, o := range c.After {
		i := slices.IndexFunc(c.Before, sameOrder(o))
		if i >= 0 && c.Before[i] != o {
			parts = append(parts, fmt.Sprintf("%s changed: %s; before: %s", orderName(o), attributesText(o), attributesText(c.Before[i])))
		}
	}
	return c.Target + ": " + strings.Join(parts, "; ")
}

// missing returns the elements of orders whose reference no element of others has.
func missing(orders, others []blocklist.Entry) (only []blocklist.Entry) {
	for _, o := range orders {
		if !slices.ContainsFunc(others, sameOrder(o)) {
			only = append(only, o)
		}
	}
	return only
}

func sameOrder(o blocklist.Entry) func(blocklist.Entry) bool {
	return func(other blocklist.Entry) bool { return other.Reference == o.Reference }
}

// attributesText returns the attributes of an order without its reference.
func attributesText(o blocklist.Entry) string {
	target := len(o.Target())
	o.Reference = ""
	return cmp.Or(strings.TrimSpace(o.String()[target:]), "no attributes")
}

// printOrders prints the changes of orders, one target per line. If withNew is set, it includes targets that were not
// listed before.
func (a *app) printOrders(r publish.ChangeResult, withNew bool) {
	all, shown := r.Removed+r.Withdrawn+r.Joined+r.Changed, uint64(0)
	if withNew {
		all += r.Added
	}
	for _, c := range r.Orders {
		switch {
		case len(c.Before) > 0:
			a.printf("%s", orderChangeText(c))
		case withNew:
			a.printf("%s: listed under %s", c.Target, orderNames(c.After))
		default:
			continue
		}
		shown++
	}
	if shown < all {
		a.printf("and %s more", thousands(all-shown))
	}
}
