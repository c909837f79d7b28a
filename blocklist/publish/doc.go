// Package publish is the agency's side of a list: the ledger of every change, and the releases made from it, signed and
// pushed to an origin. Package keys has the officers' keys, package takedown the pages that platforms are asked to take
// down.
//
// Everything lives in one folder:
//
//	ledger.db           every change, with author, reason, reference, and a hash chained to the one before (SQLite)
//	root.json           the newest root that enough officers have signed: who may sign what
//	roots/N.root.json   every such root
//	pending/            what waits for signatures: a root, or a release
//	releases/N/         what was pushed as serial N
//	urgent/             every document of urgent orders
//	keys/               every key that a confidential list has had
//	lock                held by the process that changes the folder
//
// [Init] makes the folder, [Open] opens it. [Ledger.Add], [Ledger.Remove] and [Ledger.Import] change the list,
// [Ledger.Release] makes the next release of it, [Ledger.Sign] adds an officer's signature, [Ledger.Push] brings it to
// an origin, and [Ledger.Verify] proves that the history is the one that was signed. Each of them is one step: a
// process killed in the middle leaves the old state or the new one.
//
// The example has the whole way, from the keys to the first release that is out.
//
// A Ledger may be used by several goroutines and processes. One of them can change it at a time, the others get
// [blocklist.ErrBusy].
package publish
