package config

import (
	"fmt"
	"net/netip"
)

// parseWeb parses the HTTP address of the operator's web page.
func parseWeb(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("web %.100q: write an IP address and a port, like 127.0.0.1:8053", text)
	}
	return at, nil
}

// webHints returns a warning if other machines can reach the operator's web page.
func (s *Settings) webHints() []string {
	if !s.Web.IsValid() || s.Web.Addr().IsLoopback() {
		return nil
	}
	return []string{fmt.Sprintf("web: all who reach %s read the page, without a password and without encryption; name a loopback address, and reach it through SSH", s.Web)}
}
