// Package blocklist holds lists of names, URLs and addresses, and tells whether something is listed, by which entry, and
// why. It is exact: never one name too many, never one too few.
//
// # Looking up
//
// A [Store] keeps the sets of several lists in a folder. It opens in milliseconds, needs about 20 bytes of disk and 2 bytes
// of memory an entry, and is asked without locks:
//
//	store, err := blocklist.Open(dir, blocklist.Options{})
//	...
//	if m, ok := store.LookupHost("www.example.com"); ok && !m.Monitor {
//		fmt.Println(m.List, m.Entry(), m.Reference)
//	}
//
// A program without a place for a store brings its list along in one file: [BuildSet] makes it, [OpenSet] opens it, and
// the [Set] is asked as a store is.
//
// # Entries
//
// An [Entry] is one line of text (see [ParseEntry]). Its scope says what it covers, and nothing on the way to the answer
// widens or narrows it:
//
//	example.com              that name and every name below it
//	=www.example.com         that name only
//	https://example.com/a    that path with any query
//	https://example.com/a/*  that path and everything below it
//	192.0.2.0/24             those addresses
//
// # States and releases
//
// A list changes by releases, numbered by serials that only go up. A release is read by [NewReleaseReader] and applied by
// [Store.Apply], which takes only what package subscribe has verified; [Store.SetLocal] is for the operator's own files.
// Either is one durable step, and one step for lookups. Entries with an expiry stop matching by themselves.
//
// # Files
//
// FORMAT.md specifies entries, releases and what an origin serves. The files of a store are its own business: they are made
// where they are used, keyed with a random salt, and made again when they are damaged.
package blocklist
