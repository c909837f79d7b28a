package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// readRateLimit reads the limit of the settings.
func (s *Settings) readRateLimit(r *reader, n *yaml.Node) {
	s.RateLimit.Slip = 2
	r.mapping(n, fields{
		"per_second": one(r, &s.RateLimit.PerSecond, countUpTo(dnsfilter.MaxRate)),
		"slip":       one(r, &s.RateLimit.Slip, countUpTo(100)),
	})
}

// countUpTo returns what reads a number from 0 to most.
func countUpTo(most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := parseDecimal(text)
		if err != nil || n > int64(most) {
			return 0, fmt.Errorf("number %q: write one from 0 to %d, in decimal", text, most)
		}
		return int(n), nil
	}
}

// Resolvers are discovered below this zone (RFC 9462). Forwarders should not pass it on (section 6.4), so it stays here whatever else
// the settings name, unless they name it with a minus sign.
const (
	discovery   = "resolver.arpa"
	noDiscovery = "-" + discovery
)

// special returns the zones that are answered here.
func (s *Settings) special() (zones []blocklist.Name) {
	named := slices.Clone(s.Local)
	if !slices.Contains(named, discovery) && !slices.Contains(named, noDiscovery) {
		named = append(named, discovery)
	}
	for _, text := range named {
		if text == noDiscovery {
			continue
		}
		if zone, err := blocklist.ParseName(text); err == nil {
			zones = append(zones, zone)
		}
	}
	return zones
}

// parseSpecial reads the name of a special zone.
func parseSpecial(text string) (string, error) {
	if text != noDiscovery && !slices.Contains(dnsfilter.SpecialZones(), text) {
		return "", fmt.Errorf("zone %q is not special: name some that are, like 10.in-addr.arpa or home.arpa, or leave local out for all", text)
	}
	return text, nil
}

const (
	maxCookieFile    = 4 << 10
	maxCookieSecrets = 8
)

// ReadCookieSecrets reads a file of secrets: a line of 32 hexadecimal digits each; lines that begin with # do not count. The
// first makes cookies, all of them are accepted: to change it, give all servers the next one as second line, then as first,
// and take the old one out an hour later.
func ReadCookieSecrets(path string) ([]dnsfilter.CookieSecret, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading cookie secrets: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxCookieFile+1))
	if err == nil && len(text) > maxCookieFile {
		err = blocklist.ErrTooLarge
	}
	var secrets []dnsfilter.CookieSecret
	if err == nil {
		secrets, err = parseCookieSecrets(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("reading cookie secrets: %s: %w", path, err)
	}
	return secrets, nil
}

// parseCookieSecrets reads the text of a file of secrets. What it says of mistakes does not repeat them: they are secret.
func parseCookieSecrets(text string) (secrets []dnsfilter.CookieSecret, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		secret, err := hex.DecodeString(line)
		if err != nil || len(secret) != len(dnsfilter.CookieSecret{}) {
			return nil, fmt.Errorf("line %d: %w: a secret is 32 hexadecimal digits, as openssl rand -hex 16 makes them", n, blocklist.ErrMalformed)
		}
		secrets = append(secrets, dnsfilter.CookieSecret(secret))
	}
	switch {
	case len(secrets) == 0:
		return nil, errors.New("there is no secret in it: make one with openssl rand -hex 16")
	case len(secrets) > maxCookieSecrets:
		return nil, fmt.Errorf("%w: more than %d secrets", blocklist.ErrTooLarge, maxCookieSecrets)
	}
	return secrets, nil
}

// Server returns what a server is made of, but for the store, the log, and what other files or the system have to say.
func (s *Settings) Server() dnsfilter.Config {
	c := dnsfilter.Config{Policy: s.Policy(), Cache: s.Cache, Clients: s.Clients, RateLimit: s.RateLimit, SpecialUse: s.special()}
	if c.Cache == 0 {
		c.Cache = -1
	}
	return c
}

// LoadServer is Server with the cookie secrets and the upstream.
func (s *Settings) LoadServer() (c dnsfilter.Config, err error) {
	c = s.Server()
	if c.Upstream, err = s.forwarder(); err != nil {
		return c, err
	}
	if s.CookieSecrets != "" {
		c.CookieSecrets, err = ReadCookieSecrets(s.CookieSecrets)
	}
	return c, err
}
