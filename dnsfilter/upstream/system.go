package upstream

import (
	"fmt"

	"github.com/miekg/dns"
)

// System returns the resolvers that /etc/resolv.conf names. It returns an error on systems without that file, such as
// Windows.
func System() ([]Endpoint, error) {
	const file = "/etc/resolv.conf"
	c, err := dns.ClientConfigFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("finding the system's resolvers: %w; name a resolver with upstream", err)
	}
	var out []Endpoint
	for _, server := range c.Servers {
		if at, err := ParseEndpoint(server); err == nil {
			out = append(out, at)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("finding the system's resolvers: %s names none; name a resolver with upstream", file)
	}
	return out, nil
}
