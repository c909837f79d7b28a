// Package trust has Argine's rules for The Update Framework (TUF), shared by agency, origin and subscriber: which keys
// may sign which documents, what a signature covers, and the order of verification.
//
// The root has the keys of a list's officers and their threshold, and the online key of its origin. Officers sign roots
// and targets. The targets describe the releases of the list. The online key signs snapshots and timestamps, which only
// say which targets are the newest. Documents are stored and forwarded as received: nothing is encoded again after
// signing.
//
// Package tuf has signatures, canonical JSON, thresholds and the client workflow. This package adds the rules for
// lists: the name of the list in all signed documents, who may be an officer, and which files form a release. Errors
// wrap the sentinels of package blocklist.
package trust

// Limits on documents.
const (
	MaxOfficers = 64
	MaxFiles    = 64 // maximum number of files in a targets document
	MaxRoots    = 1024
	MaxAllRoots = 4 << 20 // maximum total size of all roots in a bundle, in bytes
)

// Fields that Argine adds to TUF documents.
const (
	fieldList = "x-argine-list" // in the signed part of root and targets: the name of the list
	fieldName = "x-argine-name" // in a key: the name of its holder
	fieldRoot = "x-argine-root" // in the signed part of a timestamp: version of the newest root when the timestamp was made
)
