package dnsfilter

import (
	"encoding/json"
	"unicode/utf8"
)

// maxReference is the maximum length of an entry's reference in an extended error, in bytes. Longer references are
// truncated.
const maxReference = 100

// Notice is the text that explains a block to clients with EDNS: the EXTRA-TEXT of the extended error (RFC 8914). The
// text consists of the authority and the entry's reference; without an authority there is no text. If
// [Policy.StructuredErrors] is on, clients that request structured errors also get the contacts and the language.
type Notice struct {
	Authority string   // name of the authority behind the list, at most 100 bytes
	Contact   []string // at most three tel: or mailto: URIs, each at most 100 bytes long
	Language  string   // BCP 47 tag of the language of Authority and the references; empty: und
}

// truncate cuts a text to at most the given number of bytes, at a character boundary.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// structuredError is a notice in the form of draft-ietf-dnsop-structured-dns-error. It has no sub-error: the draft
// allows none with Censored, and the other codes are not assigned yet.
type structuredError struct {
	Contact      []string `json:"c,omitempty"`
	Reason       string   `json:"j,omitempty"`
	Organization string   `json:"o,omitempty"`
	Language     string   `json:"l,omitempty"`
}

// edeRoom is the space in an answer that a structured notice has to leave free, in bytes: more than the header, the SOA
// record and the OPT record need.
const edeRoom = 128

// structured returns the notice as JSON, for an answer of at most size bytes. If the notice does not fit, it returns
// the contacts only. If the contacts do not fit either, it returns an empty string.
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
