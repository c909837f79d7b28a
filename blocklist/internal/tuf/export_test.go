package tuf

// What the oracle's tests need.
var (
	CheckStrict   = checkStrict
	CanonicalJSON = canonicalJSON
)
