package dnsfilter

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// ServerID is what clients can learn about the server. The zero value discloses nothing.
type ServerID struct {
	// NSID is the name of this server among the servers behind one address. It is sent in the NSID option (RFC 5001), and
	// as the TXT record of id.server and hostname.bind in the class CH (RFC 4892). At most 64 bytes of printable ASCII;
	// empty: not sent.
	NSID string
	// Version is the TXT record of version.server and version.bind in the class CH. At most 64 bytes of printable ASCII;
	// empty: none.
	Version string
}

// maxServerID is the maximum length of a text in ServerID, in bytes.
const maxServerID = 64

// Check returns an error that wraps [blocklist.ErrMalformed] if a text is too long, or has characters other than
// printable ASCII.
func (id ServerID) Check() error {
	for _, text := range []string{id.NSID, id.Version} {
		if len(text) > maxServerID || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			return fmt.Errorf("server ID %q: %w: it has at most %d characters, all of printable ASCII", text, blocklist.ErrMalformed, maxServerID)
		}
	}
	return nil
}

// textOf returns the text of the TXT record for a name in the class CH, or an empty string if there is none.
func (id *ServerID) textOf(name []byte) string {
	switch string(name) {
	case "\x02id\x06server\x00", "\x08hostname\x04bind\x00":
		return id.NSID
	case "\x07version\x06server\x00", "\x07version\x04bind\x00":
		return id.Version
	}
	return ""
}

// refuse returns the answer to a query that is not looked up: for a query of the class CH, the TXT record of the server
// ID if there is one; otherwise a refusal with the given rcode.
func (id *ServerID) refuse(q *query, rcode int) []byte {
	text := ""
	if rcode == dns.RcodeRefused && q.class == dns.ClassCHAOS && (q.qtype == dns.TypeTXT || q.qtype == dns.TypeANY) {
		text = id.textOf(q.name())
	}
	if text == "" {
		return q.refuse(nil, rcode, 0)
	}
	size := byte(len(text))
	m := append(q.start(nil, dns.RcodeSuccess), 0xc0, dnswire.HeaderSize, 0, byte(dns.TypeTXT), 0, dns.ClassCHAOS, 0, 0, 0,
		0, 0, 1+size, size)
	m = append(m, text...)
	dnswire.SetCount(m, dnswire.Answer, 1)
	return q.finish(m, 0, ede{})
}
