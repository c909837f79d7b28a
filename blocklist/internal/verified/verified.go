// Package verified keeps the key to the signed lists of a store: only packages under blocklist can name its type, so a
// release is applied by code that has verified it, and by no other.
package verified

// Token is passed by a package that verifies what it hands to the store.
type Token struct{}
