package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"
	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter"
)

// maxAuthority, maxContacts and maxContact are the limits of a notice: the length of the authority in bytes, the number
// of contacts, and the length of each in bytes.
const (
	maxAuthority = 100
	maxContacts  = 3
	maxContact   = 100
)

// readNotice parses the key notice of a list or quorum: the authority behind it, contacts and a language.
func (r *reader) readNotice(n *yaml.Node, dst *dnsfilter.Notice) {
	before := len(r.errs)
	r.mapping(n, fields{
		"authority": scalar(r, &dst.Authority, func(text string) (string, error) { return parseShown(text, maxAuthority) }),
		"contact":   scalars(r, &dst.Contact, parseContact),
		"language":  scalar(r, &dst.Language, parseLanguage),
	})
	switch {
	case len(r.errs) > before:
	case dst.Authority == "":
		r.fail(positionOf(n), "a notice needs the authority that is behind the list")
	case len(dst.Contact) > maxContacts:
		r.fail(positionOf(n), "a notice has %d contacts at most", maxContacts)
	}
}

// parseShown parses a text that clients may show to users. The text has at least one byte and at most limit bytes of
// UTF-8, without control characters.
func parseShown(text string, limit int) (string, error) {
	hidden := func(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) }
	if text == "" || len(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
		return "", fmt.Errorf("text %.100q: write 1 to %d bytes of UTF-8 without control characters", text, limit)
	}
	return text, nil
}

func parseContact(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxContact || u.Scheme != "mailto" && u.Scheme != "tel" || u.Opaque == "" {
		return "", fmt.Errorf("contact %.100q: write mailto:abuse@example.org or tel:+390000000, at most %d bytes", text,
			maxContact)
	}
	return text, nil
}

func parseLanguage(text string) (string, error) {
	foreign := func(c rune) bool {
		return c != '-' && (c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c))
	}
	if text == "" || len(text) > 35 || strings.ContainsFunc(text, foreign) {
		return "", fmt.Errorf("language %.35q: write a tag like it or de-CH", text)
	}
	return text, nil
}

// parseOption parses the code of the EDNS option for structured errors. It rejects codes that are assigned, except 15.
func parseOption(text string) (uint16, error) {
	n, err := parseCount(text)
	if err != nil || n != dns.EDNS0EDE && n < 20 || n > 65534 {
		return 0, errors.New("an EDNS option code is needed that nothing else has: from 20 to 65534, or 15 as in early drafts")
	}
	return uint16(n), nil
}
