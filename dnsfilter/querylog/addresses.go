package querylog

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Addresses is the form in which the log has the addresses of clients.
type Addresses uint8

// The ways to write an address.
const (
	None      Addresses = iota // no address
	Truncated                  // only the network: an IPv4 /24 or an IPv6 /48
	// Hashed is 64 bits of an HMAC-SHA-256 of the address. The key is random, changes at each start and at midnight
	// UTC, and is in memory only. So lines of the same client can be linked for a day at most, and the client can't be
	// identified later.
	Hashed
)

var addressWords = [...]string{"none", "truncated", "hashed"} //nolint:gochecknoglobals // a constant table

// ParseAddresses parses "none", "truncated" or "hashed". For other texts, the error wraps [blocklist.ErrMalformed].
func ParseAddresses(text string) (Addresses, error) {
	if i := slices.Index(addressWords[:], text); i >= 0 {
		return Addresses(i), nil
	}
	return None, fmt.Errorf("addresses %.100q: %w: they are none, truncated or hashed", text, blocklist.ErrMalformed)
}

// of returns the text for the address of a client in a line of the log. The time is that of the query; h has the key
// for Hashed.
func (a Addresses) of(client netip.Addr, at time.Time, h *hasher) string {
	client = client.Unmap()
	switch {
	case a == None || !client.IsValid():
		return ""
	case a == Hashed:
		return h.hash(client, at)
	}
	bits := 48
	if client.Is4() {
		bits = 24
	}
	network, _ := client.WithZone("").Prefix(bits)
	return network.String()
}

// hasher hashes client addresses with a random key, which it replaces each day.
type hasher struct {
	mu  sync.Mutex
	day int64
	key [sha256.Size]byte
}

func (h *hasher) hash(client netip.Addr, at time.Time) string {
	const seconds = 24 * 60 * 60
	day := at.Unix()/seconds + 1
	h.mu.Lock()
	if day > h.day {
		h.day = day
		_, _ = rand.Read(h.key[:]) // it does not fail
	}
	key := h.key
	h.mu.Unlock()
	mac := hmac.New(sha256.New, key[:])
	packed := client.As16()
	mac.Write(packed[:])
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
