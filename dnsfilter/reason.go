package dnsfilter

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// Reason is the extended DNS error (RFC 8914) that tells a client why it does not get the real answer.
type Reason uint8

// The reasons.
const (
	Blocked  Reason = iota // 15: by the operator's own will
	Censored               // 16: by an order from outside
	Filtered               // 17: by the client's wish
	NoReason               // no extended error is sent
)

var reasonNames = [...]string{"blocked", "censored", "filtered", "none"} //nolint:gochecknoglobals // a constant table

// String returns the word used in settings.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "invalid"
}

// ParseReason reads a reason.
func ParseReason(text string) (Reason, error) {
	if i := slices.Index(reasonNames[:], text); i >= 0 {
		return Reason(i), nil
	}
	return Blocked, fmt.Errorf("unknown reason %q: there are censored, blocked, filtered and none", text)
}

// code returns the extended error of a reason, 0 for none.
func (r Reason) code() uint16 {
	switch r {
	case Blocked:
	case Censored:
		return dns.ExtendedErrorCodeCensored
	case Filtered:
		return dns.ExtendedErrorCodeFiltered
	case NoReason:
		return 0
	}
	return dns.ExtendedErrorCodeBlocked
}
