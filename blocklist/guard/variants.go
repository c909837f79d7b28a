package guard

// Diverting returns the guard for a list whose url entries lead their hosts to a proxy, with the same limits
// otherwise: see [Limits].Diverts. It shares what the guard knows.
func (g *Guard) Diverting() *Guard {
	d := *g
	d.limits.Diverts = true
	return &d
}

// Own returns the guard for lists of one's own, with the same limits: special-purpose addresses may be listed there,
// since those of one's own network belong to no other, and so may the top-level domains of private networks, such as
// lan. Look-alikes, which never hold anything, are not looked for.
func (g *Guard) Own() *Guard {
	own := *g
	own.own = true
	own.confusables = confusables{}
	own.specials = nil
	return &own
}

// Allow returns the guard for lists of one's own whose entries lift blocks, with the same limits: what is protected or
// popular may be listed there, and what covers too much lifts too much.
func (g *Guard) Allow() *Guard {
	allow := g.Own()
	allow.protected, allow.popular = protected{}, popular{}
	return allow
}
