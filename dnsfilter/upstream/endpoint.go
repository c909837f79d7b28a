package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Endpoint is where a resolver is asked.
type Endpoint struct {
	Addr  netip.AddrPort
	Name  string         // on its certificate: then it is asked over TLS only (RFC 7858); empty: over UDP and TCP
	Roots *x509.CertPool // that the certificate is verified with; nil: the system's
}

// ParseEndpoint reads the address of a resolver: an IP address, with a port unless it is 53; or tls://, an IP address,
// with a port unless it is 853, and after # the name on its certificate.
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

// parseAddr reads an address with a port, or without.
func parseAddr(text, where string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(where, "[]")); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	at, err := netip.ParseAddrPort(where)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("resolver %q: write an IP address, or one with a port like 192.0.2.53:53", text)
	}
	return at, nil
}

// String returns what ParseEndpoint reads.
func (e Endpoint) String() string {
	if e.Name == "" {
		return e.Addr.String()
	}
	return "tls://" + e.Addr.String() + "#" + e.Name
}

// tlsConfig returns the configuration of TLS with the resolver; nil if it is asked over UDP and TCP. Sessions are
// resumed.
func (e Endpoint) tlsConfig() *tls.Config {
	if e.Name == "" {
		return nil
	}
	return &tls.Config{
		ServerName: e.Name, RootCAs: e.Roots, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
}
