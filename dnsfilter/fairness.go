package dnsfilter

import "hash/maphash"

// Fair sharing of what is limited: when three quarters of the places are taken, no bucket may have more than a sixteenth of all. A
// bucket is for the clients of one network, or for the names below one parent. So neither one client nor a flood of random names
// leaves no room for others. Buckets are few and shared by chance, which matters only when places are short.

// hasRoom reports whether one more of a bucket gets a place, where so many of limit are taken, and so many by the bucket.
func hasRoom(taken, limit, byBucket int) bool {
	return taken < limit/4*3 || taken < limit && byBucket < limit/16
}

// bucketCounts counts the places that are taken, by bucket.
type bucketCounts struct{ clients, parents [1 << 10]uint16 }

// buckets are where a client and a name are counted.
type buckets struct{ client, parent uint16 }

// bucketsOf returns the buckets of a query.
func bucketsOf(seed maphash.Seed, q *query) buckets {
	const n = uint64(len(bucketCounts{}.clients))
	client, parent := maphash.Comparable(seed, networkKey(q.client)), maphash.Bytes(seed, parentOf(q.name()))
	return buckets{uint16(client % n), uint16(parent % n)}
}

// parentOf returns the name above a name in wire form, at most the last three labels of it: what random names have in common.
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
