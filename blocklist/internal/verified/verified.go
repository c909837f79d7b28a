// Package verified defines the token for adding signed lists to a store. Only packages under blocklist can import this
// package. So other programs can't apply a release that was not verified.
package verified

// Token is an argument of the store's functions for signed lists. Passing it states that the caller has verified the
// content.
type Token struct{}
