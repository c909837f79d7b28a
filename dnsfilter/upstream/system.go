package upstream

import (
	"fmt"

	"github.com/miekg/dns"
)

// System returns the resolvers of this machine, from /etc/resolv.conf. On systems other than Unix there is no such
// file, and the caller has to name resolvers.
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
