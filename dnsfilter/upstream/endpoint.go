package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Endpoint is the address of a resolver and how it is reached: over UDP and TCP, or over TLS.
type Endpoint struct {
	Addr  netip.AddrPort
	Name  string         // name on the resolver's certificate, for TLS (RFC 7858); empty: UDP and TCP
	Roots *x509.CertPool // trusted root certificates; nil: those of the system
}

// ParseEndpoint parses the address of a resolver. For UDP and TCP, the text is an IP address, with a port unless it is
// 53. For TLS, it is like tls://192.0.2.53#dns.example: an IP address, with a port unless it is 853, and the name on
// the certificate.
func ParseEndpoint(text string) (Endpoint, error) {
	rest, encrypted := strings.CutPrefix(text, "tls://")
	if !encrypted {
		at, err := parseAddr(text, text, 53)
		return Endpoint{Addr: at}, err
	}
	where, name, _ := strings.Cut(rest, "#")
	if _, ok := dns.IsDomainName(name); !ok || name == "" || strings.HasSuffix(name, ".") {
		return Endpoint{}, fmt.Errorf("resolver %q: write the name on its certificate behind it, like tls://192.0.2.53#dns.example", text)
	}
	at, err := parseAddr(text, where, 853)
	return Endpoint{Addr: at, Name: name}, err
}

// parseAddr parses the argument addr, an IP address with an optional port. Without a port, it takes the argument port.
// The argument text is for errors.
func parseAddr(text, addr string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(addr, "[]")); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("resolver %q: write an IP address, or one with a port like 192.0.2.53:53", text)
	}
	return at, nil
}

// String returns the endpoint in the form that ParseEndpoint parses.
func (e Endpoint) String() string {
	if e.Name == "" {
		return e.Addr.String()
	}
	return "tls://" + e.Addr.String() + "#" + e.Name
}

// tlsConfig returns the TLS configuration for the resolver, or nil for UDP and TCP. TLS sessions are resumed.
func (e Endpoint) tlsConfig() *tls.Config {
	if e.Name == "" {
		return nil
	}
	return &tls.Config{
		ServerName: e.Name, RootCAs: e.Roots, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
}
