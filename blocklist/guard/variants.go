package guard

// Diverting returns a guard for a list whose URL entries divert their hosts to a proxy; see [Limits].Diverts. The other
// limits stay the same. Both guards share their data.
func (g *Guard) Diverting() *Guard {
	d := *g
	d.limits.Diverts = true
	return &d
}

// Own returns a guard for the operator's own lists, with the same limits. It allows special-purpose addresses, because
// they belong to the operator's network, and top-level domains of private networks, such as lan. It skips [CheckLooks],
// which never holds anything.
func (g *Guard) Own() *Guard {
	own := *g
	own.own = true
	own.confusables = confusables{}
	own.specials = nil
	return &own
}

// Allow returns a guard for the operator's own allow lists, with the same limits. It allows protected and popular
// names, but still holds entries that cover too much: they would lift too many blocks.
func (g *Guard) Allow() *Guard {
	allow := g.Own()
	allow.builtIn, allow.protected, allow.popular = protected{}, protected{}, popular{}
	return allow
}
