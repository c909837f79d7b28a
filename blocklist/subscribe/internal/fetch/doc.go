// Package fetch is the network side of a subscription: HTTP requests for documents and files, server-sent events, and
// the POST of receipts, with limits on sizes, times and redirects. A folder with a copy of a list is read by the same
// requests.
//
// Nothing that arrives here is verified; that is the caller's part.
package fetch
