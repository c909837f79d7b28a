package desk

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// Limits of one request.
const (
	maxBody       = 64 << 10         // of a form
	requestWithin = 30 * time.Second // reading, trying or making a change
	atOnce        = 16               // pages that are made at the same time; the others wait
)

// policy is the Content-Security-Policy of every page: nothing from elsewhere, nothing inline.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured adds the headers and limits of all requests. It refuses forms of other sites, and names that lead here by a
// trick of the DNS.
func (d *Desk) secured(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if d.sessions != nil && !isLoopback(r.Host) {
			http.Error(w, "this desk is at a loopback address only", http.StatusMisdirectedRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestWithin)
		defer cancel()
		limit := int64(maxBody)
		switch r.URL.Path {
		case signaturesPath:
			limit = maxUpload
		case reportsPath:
			limit = proposal.MaxReportsBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}

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
