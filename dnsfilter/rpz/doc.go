// Package rpz serves lists as response policy zones (RPZ), for resolvers that follow a zone: AXFR, IXFR, NOTIFY and
// TSIG (RFC 5936, 1995, 1996, 8945), and zone files.
//
// A [Zone] is made of the entries of one list or several, and of the operator's allow lists. Its verdicts are those of
// the resolver: allow lists first, then the lists in order, in each list the most specific entry that blocks. What a
// zone can't say (URLs, entries that only monitor) is counted, see [Status], and never widened.
//
// A store keeps digests. So a zone keeps its names in files of its own, in the folder that its [Config] names: a sorted
// table of all entries, and the differences of the last serials. Transfers stream from these files; a zone of a million
// names needs no more memory than a small one.
package rpz
