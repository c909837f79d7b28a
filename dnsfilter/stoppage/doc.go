// Package stoppage is the web server of the sinkhole addresses: it tells visitors of a blocked name why they are there.
//
// The page has the status 451 (RFC 7725) if an authority has ordered the block, else 403. It names the authority behind
// the list, the reference, and whom to ask, from the [dnsfilter.Notice] of the list or quorum, in the language of the
// visitor. A name that is not blocked for the visitor gets a neutral page with status 421. No address of a visitor is
// kept or logged.
//
// There is no page over TLS: no certificate can be valid for names of others. A listener for HTTPS refuses each
// connection with the alert unrecognized_name, so that browsers give up at once.
package stoppage
