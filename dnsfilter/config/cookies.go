package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

const (
	maxCookieFile    = 4 << 10
	maxCookieSecrets = 8
)

// ReadCookieSecrets reads a file of cookie secrets. Each line has 32 hexadecimal digits; lines that begin with # are
// comments. The first secret creates cookies, and all of them verify cookies. To rotate the secret, add the next one as
// second line on all servers, then move it to the first line, and remove the old one an hour later.
func ReadCookieSecrets(path string) ([]dnsfilter.CookieSecret, error) {
	text, err := files.Read(path, maxCookieFile)
	if err != nil {
		return nil, fmt.Errorf("reading cookie secrets: %w", err)
	}
	secrets, err := parseCookieSecrets(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading cookie secrets: %s: %w", path, err)
	}
	return secrets, nil
}

// parseCookieSecrets parses the text of a secrets file. Its errors never quote the text, since it is secret.
func parseCookieSecrets(text string) (secrets []dnsfilter.CookieSecret, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		secret, err := hex.DecodeString(line)
		if err != nil || len(secret) != len(dnsfilter.CookieSecret{}) {
			return nil, fmt.Errorf("line %d: %w: a secret is 32 hexadecimal digits, as openssl rand -hex 16 makes them", n,
				blocklist.ErrMalformed)
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
