// Package rpz serves lists as response policy zones (RPZ) for other resolvers: by zone transfer (AXFR, IXFR, NOTIFY and
// TSIG; RFC 5936, 1995, 1996, 8945), and as zone files. It also copies zones from other servers, see [Secondary].
//
// A [Zone] is made from the entries of one or more lists and of the operator's allow lists. Its records express the
// decisions of the resolver: allow lists come first, then the lists in order, and in each list the most specific entry
// that blocks. An entry that a zone can't express (a URL, an entry that only monitors) is left out and counted, see
// [Status]. It never becomes a record that blocks more.
//
// A store keeps digests instead of names. So a zone keeps its names in files of its own, in a folder: a sorted table of
// all entries, and the differences between the last serials. Transfers are read from these files, so a zone of a
// million names needs no more memory than a small one.
package rpz
