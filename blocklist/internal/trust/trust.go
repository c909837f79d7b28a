// Package trust has the rules of The Update Framework as Argine uses it, in the one place that the agency, the origin
// and the subscriber share: who may sign what, what a signature covers, and in which order things are believed.
//
// The root names a list's officers and their threshold, and the origin's online key. Officers sign the root and the
// targets: the releases that make up the list. The online key signs snapshot and timestamp, which only say which
// targets are the newest. Documents are kept and passed on as the bytes that were received; nothing is written again
// after signing.
//
// Signatures, canonical JSON, thresholds and the client workflow are package tuf's. Around it stand the rules of lists:
// the list's name in everything that is signed, who may be an officer, which files make up a release. Errors wrap the
// sentinels of package blocklist.
package trust

// Limits on documents, in bytes, and on what they hold.
const (
	MaxOfficers = 64
	MaxFiles    = 64 // in targets
	MaxRoots    = 1024
	MaxAllRoots = 4 << 20 // of all roots in a bundle together
)

// Fields that we add to the documents of The Update Framework.
const (
	fieldList = "x-argine-list" // signed part of root and targets: the list's name
	fieldName = "x-argine-name" // key: who has it
	fieldRoot = "x-argine-root" // signed part of the timestamp: the newest root that was published with it
)
