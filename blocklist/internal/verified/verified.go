// Package verified defines the token for adding signed lists to a store. Only packages under blocklist can import it,
// so only code that has verified a release can apply it.
package verified

// Token is an argument of the store's functions for signed lists. Passing it states that the caller has verified the
// content.
type Token struct{}
