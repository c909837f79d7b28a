package dnsfilter

import "hash/maphash"

// Fairness: when three quarters of the places for waiting queries are occupied, no bucket may have more than a
// sixteenth of all. A bucket is for the clients of one network, or for the names below one parent. So neither a client
// nor a flood of random names occupies all places. Buckets are few and shared by hash, which matters only when places
// are short.

// hasRoom reports whether a query of a bucket gets one of limit places, of which some are occupied, and some of these
// by the bucket.
func hasRoom(occupied, limit, byBucket int) bool {
	return occupied < limit/4*3 || occupied < limit && byBucket < limit/16
}

// bucketCounts counts the occupied places, by bucket.
type bucketCounts struct{ clients, parents [1 << 10]uint16 }

// buckets are where a client and a name are counted.
type buckets struct{ client, parent uint16 }

// bucketsOf returns the buckets of a query.
func bucketsOf(seed maphash.Seed, q *query) buckets {
	const n = uint64(len(bucketCounts{}.clients))
	client, parent := maphash.Comparable(seed, networkKey(q.client)), maphash.Bytes(seed, parentOf(q.name()))
	return buckets{uint16(client % n), uint16(parent % n)}
}

// parentOf returns the name above a name in wire form, at most the last three labels of it: what random names have in
// common.
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
