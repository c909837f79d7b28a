package dnsfilter

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// maxReference is how much of an entry's reference is told beside an extended error, in bytes; what is longer is cut.
const maxReference = 100

// Notice is what blocked clients that speak EDNS are told beside the extended error, as its EXTRA-TEXT (RFC 8914): the
// authority, and the reference of the entry. Where [Policy.StructuredErrors] are on, clients that ask for them get contacts and
// language, too. Without an authority nothing is told.
type Notice struct {
	Authority string   // who is behind the list, at most 100 bytes
	Contact   []string // at most three URIs, tel: or mailto:, of at most 100 bytes
	Language  string   // of the authority's name and the references, a tag of BCP 47; empty: und
}

// ede is what an answer says in EDNS beside itself: up to two extended errors, and a text that goes with the first.
type ede struct {
	codes [2]uint16
	text  [2]string // two parts, for a text that is put together in the answer
}

const textBetween = ": "

func (e *ede) textSize() int {
	if e.text[1] == "" {
		return len(e.text[0])
	}
	return len(e.text[0]) + len(textBetween) + len(e.text[1])
}

func (e *ede) size() int {
	n := e.textSize()
	for _, code := range e.codes {
		if code != 0 {
			n += 6
		}
	}
	return n
}

// append appends the options. A text needs a first code.
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
				m = append(append(m, textBetween...), e.text[1]...)
			}
		}
	}
	return m
}

// why returns what the client is told of a decision that withholds the real answer.
func (d *Decision) why(q *query) ede {
	e := ede{codes: [2]uint16{d.rule.Reason.code()}}
	if n := &d.rule.Notice; n.Authority != "" && q.edns && e.codes[0] != 0 {
		reference := shorten(d.Match.Reference, maxReference)
		e.text = [2]string{n.Authority, reference}
		if q.structured {
			e.text = [2]string{n.structured(reference, q.size-len(q.question))}
		}
	}
	return e
}

// shorten cuts a text, but no character in two.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// structuredError has the names of draft-ietf-dnsop-structured-dns-error. There are no sub-errors: none may go with Censored,
// and those for the others are not assigned.
type structuredError struct {
	Contact      []string `json:"c,omitempty"`
	Reason       string   `json:"j,omitempty"`
	Organization string   `json:"o,omitempty"`
	Language     string   `json:"l,omitempty"`
}

// room is what an answer with an error has beside question and text, in bytes: more than header, SOA and OPT record.
const room = 128

// structured returns the notice as JSON that fits; of what does not, the free text goes first.
func (n *Notice) structured(reference string, size int) string {
	full := structuredError{Contact: n.Contact, Reason: reference, Organization: n.Authority, Language: n.Language}
	if full.Language == "" {
		full.Language = "und"
	}
	for _, e := range []structuredError{full, {Contact: n.Contact}} {
		if text, err := json.Marshal(e); err == nil && len(text)+room <= size && len(text) > len("{}") {
			return string(text)
		}
	}
	return ""
}

// wantsStructured reports whether a client asks for structured errors.
func (p *Policy) wantsStructured(msg *dns.Msg) bool {
	opt := msg.IsEdns0()
	if p.StructuredErrors == 0 || opt == nil {
		return false
	}
	for _, o := range opt.Option {
		if o.Option() == p.StructuredErrors {
			return true
		}
	}
	return false
}
