package dnsfilter

import "hash/maphash"

// When more than crowded clients or questions wait for the upstream, none of these may have more than share of them: the
// clients of one network, the names below one parent. So neither one client nor a flood of random names leaves no room for
// others.
const (
	crowded = maxWaiting / 4 * 3
	share   = maxWaiting / 16
)

// crowd counts who waits. Places are few and shared by chance, which matters only when it is crowded.
type crowd struct{ clients, parents [1 << 10]uint16 }

// crowdPlace is where a client and a name are counted.
type crowdPlace struct{ client, parent uint16 }

func (s *Server) crowdPlace(q *query) crowdPlace {
	const most = uint64(len(crowd{}.clients))
	client := maphash.Comparable(s.cache.seed, network(q.client))
	return crowdPlace{uint16(client % most), uint16(s.cache.hash(parent(q.name())) % most)}
}

// parent returns the name above a name in wire form, at most the last three labels of it: what names made up at random share.
func parent(name []byte) []byte {
	labels := 0
	for at := 0; name[at] != 0; at += 1 + int(name[at]) {
		labels++
	}
	for drop := max(1, labels-3); drop > 0 && len(name) > 1; drop-- {
		name = name[1+name[0]:]
	}
	return name
}

// isFull reports whether one more has no room. A flight that is there already takes none for its name.
func (f *flights) isFull(at crowdPlace, joins bool) bool {
	switch waiting := max(f.n, len(f.by)); {
	case waiting >= maxWaiting:
		return true
	case waiting < crowded:
		return false
	}
	return f.crowd.clients[at.client] >= share || !joins && f.crowd.parents[at.parent] >= share
}
