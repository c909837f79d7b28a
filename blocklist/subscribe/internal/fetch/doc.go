// Package fetch is the network side of a subscription: HTTP requests for documents and files, server-sent events, and
// the posting of receipts, with limits on sizes, times and redirects. It also reads folders that contain a copy of a
// list.
//
// It verifies nothing. The caller must do that.
package fetch
