// Package blocklist holds lists of names, URLs and addresses, and reports whether something is listed, by which
// entry, and why. It is exact: never one name too many, never one too few.
//
// # Block a URL in ten lines
//
// A [Store] keeps the sets of several lists in a folder of the program's own; package formats reads the lists:
//
//	store, err := blocklist.Open(dir, blocklist.Options{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	list, err := formats.NewReader(file, formats.Options{}) // names, hosts, URLs, RPZ, ...: any format
//	if err != nil {
//		return err
//	}
//	if err := store.SetLocal("local", "", list.Entries()); err != nil {
//		return err
//	}
//	if m, ok := store.LookupURL(url); ok && !m.Monitor {
//		fmt.Println(url, "is blocked by", m.Entry(), "of", m.List)
//	}
//
// The store keeps the list on disk, so it is there after a restart. It opens in milliseconds, and needs about 20 bytes
// of disk and 2 bytes of memory for each entry.
//
// # Looking up
//
// [Store.LookupHost] takes a name, [Store.LookupURL] a URL in any spelling, [Store.LookupAddr] an address. A lookup
// can't fail, and never waits for a change. A [Match] says which list and which entry matched, and why the entry is
// listed. A server that looks up many names should have them in wire form: [Store.LookupName] allocates nothing. A
// program whose decision depends on the list asks for the matches in all lists: [Store.AppendMatches],
// [Store.AppendURLMatches], [Store.AppendAddrMatches]. A match of an entry with status=monitor should be reported, not
// blocked. An entry past its expiry no longer matches.
//
// A program that can't have the folder of a store can read its list from one file: [BuildSet] makes the file,
// [OpenSet], [OpenSetBytes] (go:embed) or [OpenSetFS] opens it, and a [Set] has the lookup methods of a store. Sets
// also work in browsers (GOOS=js GOARCH=wasm) and under WASI.
//
// # Entries
//
// An [Entry] is one line of text (see [ParseEntry]). Its scope says which names, URLs or addresses the entry covers. No
// later step widens or narrows it:
//
//	example.com              that name and every name below it
//	=www.example.com         that name only
//	https://example.com/a    that path with any query
//	https://example.com/a/*  that path and everything below it
//	192.0.2.0/24             those addresses
//
// # Where to go from here
//
//	formats     read and write the lists of other programs
//	subscribe   follow a list that others publish and sign
//	publish     release such a list: officers' keys, ledger, releases; origin serves them, guard stops what blocks too much
//	httpfilter  refuse listed URLs in HTTP servers, proxies and clients; icap does it for proxies that speak ICAP
//	blocktest   stores and signed lists for a program's own tests
//	dnsfilter   next to this package: the resolver, and a filter within other DNS servers
//
// A list changes by releases, numbered by serials that only go up. Each release takes effect in one durable step, and a
// lookup sees all of it or nothing. The same holds for [Store.SetLocal].
//
// # Files
//
// FORMAT.md specifies entries, releases and what an origin serves. The files of a store have no specified format: each
// machine makes its own, keyed with a random salt, and makes them again when they are damaged. One process owns a
// store; others may read it at the same time, see [Options].
package blocklist
