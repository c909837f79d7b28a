package dnstap

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Target is where dnstap messages go. The zero value is no target.
type Target struct {
	Network string // "unix", "tcp" or "file"
	Address string // path, or host and port for tcp
}

// ParseTarget parses a target: unix:///run/dnstap.sock, tcp://127.0.0.1:6000 or file:///var/log/dnstap.fstrm. The error
// wraps [blocklist.ErrMalformed].
func ParseTarget(text string) (Target, error) {
	network, address, _ := strings.Cut(text, "://")
	t := Target{network, address}
	valid := false
	switch network {
	case "unix", "file":
		valid = filepath.IsAbs(address) && !strings.HasSuffix(address, "/")
	case "tcp":
		host, port, err := net.SplitHostPort(address)
		n, errPort := strconv.ParseUint(port, 10, 16)
		valid = err == nil && errPort == nil && host != "" && n > 0
	}
	if !valid {
		return Target{}, fmt.Errorf("dnstap %.100q: %w: write it like unix:///run/dnstap.sock, tcp://192.0.2.1:6000 or file:///var/log/dnstap.fstrm", text, blocklist.ErrMalformed)
	}
	return t, nil
}

// String returns the target in the form that ParseTarget parses.
func (t Target) String() string { return t.Network + "://" + t.Address }
