package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// ede has the extended DNS errors of an answer (RFC 8914): up to two codes, and the EXTRA-TEXT of the first one.
type ede struct {
	codes [2]uint16
	text  [2]string // two parts, joined in the answer
}

const textSeparator = ": "

func (e *ede) textSize() int {
	if e.text[1] == "" {
		return len(e.text[0])
	}
	return len(e.text[0]) + len(textSeparator) + len(e.text[1])
}

// fit makes the options fit into a number of bytes: it removes the text first, and then the codes. An answer is never
// truncated to make room for extended errors (RFC 8914, section 3).
func (e *ede) fit(room int) {
	if e.size() > room {
		e.text = [2]string{}
	}
	if e.size() > room {
		*e = ede{}
	}
}

// size returns the size of the options in bytes.
func (e *ede) size() int {
	n := e.textSize()
	for _, code := range e.codes {
		if code != 0 {
			n += 6
		}
	}
	return n
}

// append appends the options to a message. The text is part of the option of the first code.
func (e *ede) append(m []byte) []byte {
	for i, code := range e.codes {
		if code == 0 {
			continue
		}
		length := 2
		if i == 0 {
			length += e.textSize()
		}
		m = append(m, 0, dns.EDNS0EDE, byte(length>>8), byte(length), byte(code>>8), byte(code))
		if i == 0 && e.text[0] != "" {
			m = append(m, e.text[0]...)
			if e.text[1] != "" {
				m = append(append(m, textSeparator...), e.text[1]...)
			}
		}
	}
	return m
}

// forged returns the extended errors of a blocking decision whose answer has records in place of the real ones: that of
// the method ede and, if there is one, also Forged Answer.
func (d *Decision) forged(q *query) ede {
	why := d.ede(q)
	if why.codes[0] != 0 {
		why.codes[1] = dns.ExtendedErrorCodeForgedAnswer
	}
	return why
}

// ede returns the extended error of a blocking decision.
func (d *Decision) ede(q *query) ede {
	e := ede{codes: [2]uint16{d.rule.Reason.code()}}
	if n := &d.rule.Notice; n.Authority != "" && q.edns && e.codes[0] != 0 {
		reference := truncate(d.Match.Reference, maxReference)
		e.text = [2]string{n.Authority, reference}
		if q.structured {
			e.text = [2]string{n.structured(reference, q.size-len(q.question))}
		}
	}
	return e
}

// failure returns a SERVFAIL reply for an error of the upstream, in the form that the cache keeps: the ID field has the
// extended error code plus one.
func (q *query) failure(err error) []byte {
	code := failureCode(err) + 1
	m := binary.BigEndian.AppendUint16(make([]byte, 0, dnswire.HeaderSize+len(q.key)), code)
	m = append(m, dnswire.FlagQR>>8, dns.RcodeServerFailure, 0, 1, 0, 0, 0, 0, 0, 0)
	return append(m, q.asked()...)
}

// hideFailure replaces every failure rcode of an upstream by SERVFAIL. Otherwise the upstream's REFUSED would tell the
// client that this server refuses it, and FORMERR that its query is malformed.
func hideFailure(reply []byte) {
	if !dnswire.IsFailure(reply) || dnswire.Rcode(reply) == dns.RcodeServerFailure {
		return
	}
	dnswire.SetRcode(reply, dns.RcodeServerFailure)
	if dnswire.Uint16(reply, 0) == 0 {
		binary.BigEndian.PutUint16(reply, dns.ExtendedErrorCodeNoReachableAuthority+1)
	}
}

// failureCode returns the extended error code for an upstream error: 22 (No Reachable Authority) for a timeout, 23
// (Network Error) otherwise.
func failureCode(err error) uint16 {
	if errors.Is(err, context.DeadlineExceeded) {
		return dns.ExtendedErrorCodeNoReachableAuthority
	}
	return dns.ExtendedErrorCodeNetworkError
}
