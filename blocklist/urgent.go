package blocklist

import "fmt"

// setUrgent takes entries of urgent orders into the state, in place of those before.
func (st *state) setUrgent(entries []Entry) {
	st.Urgent, st.urgent = nil, entries
	for _, e := range entries {
		st.Urgent = append(st.Urgent, e.String())
	}
}

// readUrgent reads the entries of urgent orders that the state file has.
func (st *state) readUrgent() error {
	for _, line := range st.Urgent {
		e, err := ParseEntry(line)
		if err != nil {
			return fmt.Errorf("urgent orders: %w", err)
		}
		st.urgent = append(st.urgent, e)
	}
	return nil
}

// inForce returns the list as lookups see it: the canary and urgent orders lie on top of what changed since the set was
// written, and only there. Orders add, and change nothing that is listed for as long.
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
