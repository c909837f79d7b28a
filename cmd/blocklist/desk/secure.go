package desk

import (
	"net"
	"net/netip"
	"time"
)

// Limits of one request.
const (
	maxBody       = 64 << 10         // maximum size of a form, in bytes
	requestWithin = 30 * time.Second // time limit for reading a request, and for trying or making its change
	atOnce        = 16               // maximum number of pages that are made at the same time; further requests wait
	maxDecisions  = 256 << 10        // maximum size of a form with decisions about [maxAtOnce] proposals, in bytes
)

// policy is the Content-Security-Policy of every page: everything comes from the desk itself, and nothing is inline.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// isLoopback reports whether a host, with or without a port, is localhost or a loopback address.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
