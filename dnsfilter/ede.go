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

// ede is the extended DNS errors of an answer (RFC 8914): up to two codes, and a text that goes with the first.
type ede struct {
	codes [2]uint16
	text  [2]string // two parts, for a text that is put together in the answer
}

const textSeparator = ": "

func (e *ede) textSize() int {
	if e.text[1] == "" {
		return len(e.text[0])
	}
	return len(e.text[0]) + len(textSeparator) + len(e.text[1])
}

// fit leaves out what there is no room for: no answer is cut because of it (RFC 8914, section 3).
func (e *ede) fit(room int) {
	if e.size() > room {
		e.text = [2]string{}
	}
	if e.size() > room {
		*e = ede{}
	}
}

// size returns how many bytes the options take.
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
				m = append(append(m, textSeparator...), e.text[1]...)
			}
		}
	}
	return m
}

// ede returns the extended error of a decision that withholds the real answer.
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

// truncate cuts a text to at most so many bytes, at the beginning of a character.
func truncate(s string, most int) string {
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

// edeRoom is what an answer with an error has beside question and text, in bytes: more than header, SOA and OPT record.
const edeRoom = 128

// structured returns the notice as JSON that fits; of what does not, the free text goes first.
func (n *Notice) structured(reference string, size int) string {
	full := structuredError{Contact: n.Contact, Reason: reference, Organization: n.Authority, Language: n.Language}
	if full.Language == "" {
		full.Language = "und"
	}
	for _, e := range []structuredError{full, {Contact: n.Contact}} {
		if text, err := json.Marshal(e); err == nil && len(text)+edeRoom <= size && len(text) > len("{}") {
			return string(text)
		}
	}
	return ""
}
