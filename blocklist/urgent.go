package blocklist

// setUrgent replaces the entries of urgent orders in the state.
func (st *state) setUrgent(entries []Entry) {
	st.Urgent, st.urgent = nil, entries
	for _, e := range entries {
		st.Urgent = append(st.Urgent, e.String())
	}
}

// inForce returns the list for lookups. It adds the canary and the urgent orders on top of the overlay. An order never
// weakens a listed entry: it has no effect on an entry that blocks at least as long.
func (st *state) inForce(sec *secret) *list {
	if st.list.base == nil {
		return st.list
	}
	var additions []Change
	for _, e := range st.urgent {
		hash, _ := sec.filterHash(new(suffixes), &e)
		a, listed := st.list.find(e.Scope, []byte(e.key), hash)
		if !listed || a.expires != 0 && a.expires < e.Expires.Unix() {
			additions = append(additions, Change{Entry: e})
		}
	}
	l := *st.list
	l.info.Urgent = len(st.urgent)
	l.overlay = l.overlay.with(l.base, additions)
	for _, c := range additions {
		l.urgent.Add([]byte(c.Entry.String()))
	}
	l.canary.name = st.canaryName()
	return &l
}

// canaryName returns the name of the state's canary, or an empty string.
func (st *state) canaryName() string {
	if st.Header.Serial == 0 {
		return ""
	}
	name, err := ParseName(CanaryName(st.Header.List, st.Header.Serial))
	if err != nil {
		return ""
	}
	return string(name)
}
