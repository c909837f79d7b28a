package dnsfilter

import "hash/maphash"

// Fairness: when three quarters of the places for waiting queries are occupied, each bucket is limited to a sixteenth
// of all places. A bucket counts the clients of one network, or the names below one parent. So neither one client nor a
// flood of random names can occupy all places. There are few buckets. Clients and names share them by hash, which
// matters only when places are short.

// hasRoom reports whether one more query may wait for the upstream or the slow path. The argument occupied is the
// number of waiting queries, and limit their maximum. The argument byBucket is the number of waiting queries in the
// fuller bucket of the new query, or of its only bucket.
func hasRoom(occupied, limit, byBucket int) bool {
	return occupied < limit/4*3 || occupied < limit && byBucket < limit/16
}

// bucketCounts counts the waiting queries in each bucket.
type bucketCounts struct{ clients, parents [1 << 10]uint16 }

// buckets are the numbers of the two buckets that count a query: one for its client, and one for the parent of its
// name.
type buckets struct{ client, parent uint16 }

// bucketsOf returns the buckets of a query.
func bucketsOf(seed maphash.Seed, q *query) buckets {
	const n = uint64(len(bucketCounts{}.clients))
	client, parent := maphash.Comparable(seed, networkKey(q.client)), maphash.Bytes(seed, parentOf(q.name()))
	return buckets{uint16(client % n), uint16(parent % n)}
}

// parentOf returns the parent of a name in wire form, or the last three labels of the parent if it has more. Random
// names of one flood have the same parent.
func parentOf(name []byte) []byte {
	labels := 0
	for at := 0; name[at] != 0; at += 1 + int(name[at]) {
		labels++
	}
	for drop := max(1, labels-3); drop > 0 && len(name) > 1; drop-- {
		name = name[1+name[0]:]
	}
	return name
}
