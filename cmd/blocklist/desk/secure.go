package desk

import (
	"net"
	"net/netip"
	"time"
)

// Limits of one request.
const (
	maxBody       = 64 << 10         // of a form
	requestWithin = 30 * time.Second // for reading it, and for trying or making its change
	atOnce        = 16               // pages that are made at the same time; the others wait
)

// policy is the Content-Security-Policy of every page: nothing from elsewhere, nothing inline.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// isLoopback reports whether a host, which may have a port, is a loopback address or its name.
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
