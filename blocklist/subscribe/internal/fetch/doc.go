// Package fetch has the network side of a subscription: HTTP requests for documents and files, server-sent events, and
// posting receipts, with limits on sizes, times and redirects. It also reads folders that contain a copy of a list.
//
// It verifies nothing: that is the caller's part.
package fetch
