package dnsfilter

import (
	"encoding/json"
	"unicode/utf8"
)

// maxReference is how much of an entry's reference is sent with an extended error, in bytes; the rest is cut off.
const maxReference = 100

// Notice is the EXTRA-TEXT of the extended error (RFC 8914) that blocked clients with EDNS get: the authority, and the
// reference of the entry. If [Policy.StructuredErrors] are on, clients that ask for them get contacts and language,
// too. Without an authority there is no text.
type Notice struct {
	Authority string   // that is responsible for the list, at most 100 bytes
	Contact   []string // at most three URIs, tel: or mailto:, of at most 100 bytes
	Language  string   // of the authority's name and the references, a tag of BCP 47; empty: und
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

// structuredError has the names of draft-ietf-dnsop-structured-dns-error. There are no sub-errors: none may go with
// Censored, and those for the others are not assigned.
type structuredError struct {
	Contact      []string `json:"c,omitempty"`
	Reason       string   `json:"j,omitempty"`
	Organization string   `json:"o,omitempty"`
	Language     string   `json:"l,omitempty"`
}

// edeRoom is what an answer with an error has beside question and text, in bytes: more than header, SOA and OPT record.
const edeRoom = 128

// structured returns the notice as JSON; if it does not fit, without its free text, and then not at all.
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
