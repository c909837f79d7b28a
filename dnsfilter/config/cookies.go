package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

const (
	maxCookieFile    = 4 << 10
	maxCookieSecrets = 8
)

// ReadCookieSecrets reads a file of secrets: a line of 32 hexadecimal digits each; lines that begin with # do not
// count. The first makes cookies, all of them are accepted: to change it, give all servers the next one as second line,
// then as first, and take the old one out an hour later.
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

// parseCookieSecrets reads the text of a file of secrets. What it says of errs does not repeat them: they are secret.
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
