package dnsfilter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/cache"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// CachedAnswer is a cached answer about a name and a type, for operators.
type CachedAnswer struct {
	Type    string // query type
	DO, CD  bool   // bits of the query; each combination has cached answers of its own
	Rcode   string
	Records []string      // answer section in master file format, with the TTLs of the upstream
	Expires time.Duration // time until the answer expires; negative: time since it expired
	Stale   bool          // expired: used only while the upstream fails
	Failing bool          // the last attempt to refresh it has failed

	// Decision is the decision on the targets in the answer, for clients outside all views. If it blocks, these clients
	// get a blocked answer instead.
	Decision Decision
}

// Cached returns the cached answers about a name, ordered by type. It searches the whole cache, so it is for operators,
// not for every query. The error is [blocklist.ErrMalformed] if name is no domain name.
func (s *Server) Cached(name string) (all []CachedAnswer, err error) {
	wire := []byte{0}
	if name != "." {
		if wire, err = blocklist.AppendName(nil, name); err != nil {
			return nil, err
		}
	}
	found := s.cache.List(wire, s.cache.Now())
	slices.SortFunc(found, func(a, b cache.Answer) int { return bytes.Compare(a.Key, b.Key) })
	for _, a := range found {
		one, err := s.describe(&a)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// describe converts a cached answer to a readable form, and decides on its targets.
func (s *Server) describe(a *cache.Answer) (CachedAnswer, error) {
	m := new(dns.Msg)
	if err := m.Unpack(a.Message); err != nil {
		return CachedAnswer{}, fmt.Errorf("reading a cached answer: %w", err)
	}
	tail := a.Key[len(a.Key)-5:]
	out := CachedAnswer{
		Type: dns.Type(binary.BigEndian.Uint16(tail)).String(), DO: tail[4]&keyDO != 0, CD: tail[4]&keyCD != 0,
		Rcode: dns.RcodeToString[m.Rcode], Expires: time.Duration(a.Expires) * time.Second,
		Stale: a.State >= cache.Stale, Failing: a.State > cache.Stale,
	}
	for _, rr := range m.Answer {
		out.Records = append(out.Records, rr.String())
	}
	if s.store != nil {
		q := &query{counters: new(counters), qtype: binary.BigEndian.Uint16(tail), class: dns.ClassINET}
		q.key, q.question = a.Key, a.Message[dnswire.HeaderSize:dnswire.HeaderSize+len(a.Key)-1]
		v := s.current.Load().views.of(netip.Addr{})
		v.decideOn(s.store, q)
		out.Decision = q.inspect(s.store, v, a.Message)
	}
	return out, nil
}
