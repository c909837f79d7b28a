// Package publish is the agency's side of a list. It keeps a ledger of every change and makes releases from it.
// Officers sign the releases, which are then pushed to an origin. Package keys handles the officers' keys. Package
// takedown refers listed pages to platforms that can take them down.
//
// Everything is in one folder:
//
//	ledger.db           every change, with author, reason, reference, and a hash chained to the change before (SQLite)
//	root.json           the newest root with enough signatures: it says who may sign what
//	roots/N.root.json   every root with enough signatures
//	pending/            a root or a release that waits for signatures
//	releases/N/         the metadata of the release with serial N, which was pushed
//	files/              the snapshots and deltas of the last release and of the pending one
//	urgent/             every document of urgent orders
//	keys/               every key that a confidential list has had
//	lock                held by the process that changes the folder
//
// [Init] makes the folder, [Open] opens it. [Ledger.Add], [Ledger.Remove] and [Ledger.Import] change the list.
// [Ledger.Release] makes the next release. [Ledger.Sign] adds an officer's signature. [Ledger.Push] sends the release
// to an origin. [Ledger.Verify] proves that the history is the one that officers have signed. Each of these methods is
// atomic: if the process is killed, the folder has the old state or the new one.
//
// The example shows all steps, from making keys to pushing the first release.
//
// Several goroutines and processes may use a Ledger. Only one of them can change it at a time. The others wait for the
// time that [Ledger.SetWait] sets, then fail with [blocklist.ErrBusy]. A process without write access to the folder can
// still read the ledger.
package publish
