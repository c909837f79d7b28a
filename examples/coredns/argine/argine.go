// Package argine is a CoreDNS plugin that answers queries for listed names. It also checks what the answers of the
// plugins behind it lead to: aliases, services, addresses. In the Corefile:
//
//	argine STATE {
//	    list NAME ROOT URL...
//	    file NAME FILE
//	    action ACTION
//	    reason REASON
//	}
//
// STATE is the folder of the lists; blocks with the same STATE share the folder. List follows a signed list at origins
// and mirrors (URL), from a root that was obtained out of band. File takes entries from the operator's own file, in any
// format, when CoreDNS starts or reloads. Action (nxdomain, nodata, refused, drop or monitor) applies to the lists of
// this block; the default is nxdomain. Reason (censored, blocked, filtered or none) is the extended DNS error (RFC
// 8914); the default is blocked.
package argine

import (
	"context"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter"
)

const name = "argine"

// Plugin is the plugin in the chain of one server block.
type Plugin struct {
	Next   plugin.Handler
	Filter *dnsfilter.Filter
}

// Name implements [plugin.Handler].
func (p *Plugin) Name() string { return name }

// ServeDNS implements [plugin.Handler].
func (p *Plugin) ServeDNS(ctx context.Context, w dns.ResponseWriter, m *dns.Msg) (code int, err error) {
	next := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		code, err = plugin.NextOrFailure(name, p.Next, ctx, w, m)
	})
	p.Filter.Handler(next).ServeDNS(w, m)
	return code, err // of the next plugin, or success if it was not called
}
