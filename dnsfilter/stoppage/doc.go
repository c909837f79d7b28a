// Package stoppage is the web server at the sinkhole addresses. It tells visitors of a blocked name why the name is
// blocked.
//
// The page has the status 451 (RFC 7725) if an authority has ordered the block, else 403. From the [dnsfilter.Notice]
// of the list or quorum, it shows the authority behind the list, contacts, and the reference of the entry, in the
// language of the visitor. If the name is not blocked for the visitor, there is a neutral page with status 421. The
// addresses of visitors are neither stored nor logged.
//
// There is no page over TLS, since the server can't have valid certificates for the names of others. A listener for
// HTTPS refuses each connection with the alert unrecognized_name, so that browsers give up at once.
package stoppage
