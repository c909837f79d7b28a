package dnsfilter

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// Reason is the extended DNS error (RFC 8914) that explains a block to the client.
type Reason uint8

// The reasons.
const (
	Blocked  Reason = iota // code 15: the operator's own decision
	Censored               // code 16: required by an external authority
	Filtered               // code 17: requested by the client
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

// ParseReason parses a reason in the form of [Reason.String].
func ParseReason(text string) (Reason, error) {
	if i := slices.Index(reasonNames[:], text); i >= 0 {
		return Reason(i), nil
	}
	return Blocked, fmt.Errorf("unknown reason %q: there are censored, blocked, filtered and none", text)
}

// code returns the extended error code of a reason, or 0 for NoReason.
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
