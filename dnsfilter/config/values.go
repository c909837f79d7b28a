package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

func parseListenText(text string) (string, error) {
	_, _, err := dnsfilter.ParseListen(text)
	return text, err
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is no IP address", text)
	}
	return a.Unmap(), nil
}

// parseNetwork parses a network, or a single address.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := parseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return p, fmt.Errorf("network %q: write it like 192.0.2.0/24 or 2001:db8::/32", text)
	}
	return p, nil
}

// parseSize parses a number of bytes, optionally with the unit KiB, MiB or GiB. It rejects very small numbers, since
// the unit is probably missing.
func parseSize(text string) (int64, error) {
	digits, shift := text, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if before, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = strings.TrimSpace(before), 10*(i+1)
		}
	}
	n, err := parseDecimal(digits)
	switch most := int64(1) << 40 >> shift; {
	case err != nil || n > most:
		return 0, fmt.Errorf("size %q: write it like 64MiB, in decimal, at most 1024GiB", text)
	case shift == 0 && n > 0 && n < 1<<20:
		return 0, fmt.Errorf("size %q: that many bytes? write it with its unit, like %dMiB", text, n)
	}
	return n << shift, nil
}

// parseDecimal parses a decimal number without a sign. It rejects 0x10 and 1_0, and also 010, which some programs read
// as octal.
func parseDecimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text || n < 0 {
		return 0, errors.New("a decimal number is needed")
	}
	return n, nil
}

// parseMetrics parses the HTTP address for metrics.
func parseMetrics(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("metrics %q: write an IP address and a port, like 127.0.0.1:9153", text)
	}
	return at, nil
}

// parsePprof parses the HTTP address for profiles. It accepts loopback addresses only, since profiles show memory
// contents, including names and client addresses, to anyone who can connect.
func parsePprof(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 || !at.Addr().IsLoopback() {
		return at, fmt.Errorf("pprof %q: write a loopback address and a port, like 127.0.0.1:6060", text)
	}
	return at, nil
}

// countUpTo returns a parser for numbers from 0 to limit.
func countUpTo(limit int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := parseDecimal(text)
		if err != nil || n > int64(limit) {
			return 0, fmt.Errorf("number %q: write one from 0 to %d, in decimal", text, limit)
		}
		return int(n), nil
	}
}

// parseSeconds returns a parser for durations of whole seconds, from shortest to longest.
func parseSeconds(shortest, longest time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d < shortest || d > longest || d%time.Second != 0 {
			return 0, fmt.Errorf("duration %.100q: write it in seconds, minutes or hours, like 30s, from %s to %s", text, shortest, longest)
		}
		return d, nil
	}
}

// parseBlockTTL parses the TTL of blocked answers.
func parseBlockTTL(text string) (uint32, error) {
	d, err := parseSeconds(time.Second, dnsfilter.MaxBlockTTL*time.Second)(text)
	return uint32(d / time.Second), err
}

func parseListName(text string) (string, error) {
	for _, taken := range []string{allowPrefix, quorumPrefix} {
		if strings.HasPrefix(text, taken) {
			return "", fmt.Errorf("list name %q: names below %s are taken", text, taken)
		}
	}
	return text, blocklist.CheckListName(text)
}

func parseCount(text string) (int, error) {
	n, err := parseDecimal(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, fmt.Errorf("number %q: write one from 1 on, in decimal", text)
	}
	return int(n), nil
}

// textOf returns the canonical text of a YAML node. Nodes with equal values have equal texts, whatever their style.
func textOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return strconv.Quote(n.Value)
	}
	var b strings.Builder
	for _, item := range n.Content {
		b.WriteString(textOf(item) + " ")
	}
	return "(" + b.String() + ")"
}

// allowPrefix is the prefix of allow list names in the store.
const allowPrefix = "allow/"

// quorumPrefix is the prefix of the names of quorums in counters.
const quorumPrefix = "quorum/"
