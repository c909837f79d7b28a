package rpz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Secondary copies a zone from its primaries into a zone file (RFC 5936, RFC 1995). The file has one record in each
// line. It begins with the SOA record and ends with a comment, and its names are absolute. Later changes may be in a
// journal, see [OpenJournal].
type Secondary struct {
	Zone      blocklist.Name
	Primaries []upstream.Endpoint // primaries, asked in this order until one of them has the zone
	Key       *Key                // signs requests, and has to sign the answers; nil: no signatures
	File      string              // path of the zone file, in an existing folder for this file and its journal alone
	// Review reads a new zone file before it replaces the old one. After an error the old file stays. Nil: no review.
	Review func(file io.Reader) error
	// Apply puts changes in force. They have the form that [dnsfilter.PolicyZone.Change] reads. Before that, it calls
	// keep, which writes the changes to the journal. If Apply fails, before or after this call, the changes are written
	// to the zone file. Nil: there is no journal.
	Apply func(changes io.Reader, keep func() error) error

	limits transferLimits
}

// transferLimits are the limits of one transfer. The zero value stands for the constants below.
type transferLimits struct {
	records, bytes int
	within, stall  time.Duration
}

// Limits of a transfer.
const (
	maxRecords     = 20_000_000
	maxBytes       = 1 << 30
	transferWithin = 30 * time.Minute
	messageWithin  = 15 * time.Second // time limit for connecting, and for each message
	maxChanges     = 1_000_000        // records of an IXFR; if there are more, the whole zone is transferred
)

func defaultLimits() transferLimits {
	return transferLimits{maxRecords, maxBytes, transferWithin, messageWithin}
}

// errTooLong is the error for a transfer that takes longer than its limit.
var errTooLong = errors.New("the transfer takes too long")

// Update is the result of [Secondary.Update].
type Update struct {
	From        upstream.Endpoint // the primary that answered
	Copy        Copy
	Replaced    bool // the copy has changed: its file, or its journal
	Incremental bool // the change came by IXFR, not as a whole zone
	Foreign     int  // number of records outside the zone, which were left out
}

// Copy has the serial and the timers in the SOA record of a copied zone. The zero value means that there is no copy.
type Copy struct {
	Serial                 uint32
	Refresh, Retry, Expire time.Duration
}

// Update brings the copy up to date, from the first primary that has the zone. After an error, the copy is as before.
func (s *Secondary) Update(ctx context.Context) (Update, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit().within, errTooLong)
	defer cancel()
	if err := removeTemps(filepath.Dir(s.File)); err != nil {
		return Update{}, err
	}
	have := s.newest()
	if have == nil {
		_ = os.Remove(JournalOf(s.File)) // it would be that of the next file if that has the same serial
	}
	var all []error
	for _, p := range s.Primaries {
		u, err := s.updateFrom(ctx, p, have)
		if err == nil {
			u.From = p
			return u, nil
		}
		all = append(all, fmt.Errorf("copying zone %s from %s: %w", s.Zone, p, err))
	}
	return Update{}, errors.Join(all...)
}

// Copy returns the serial and the timers of the copy: from the journal if there is one, otherwise from the zone file.
func (s *Secondary) Copy() Copy {
	if soa := s.newest(); soa != nil {
		return newCopy(soa)
	}
	return Copy{}
}

func newCopy(soa *dns.SOA) Copy {
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	return Copy{soa.Serial, seconds(soa.Refresh), seconds(soa.Retry), seconds(soa.Expire)}
}

func (s *Secondary) limit() transferLimits {
	if s.limits == (transferLimits{}) {
		return defaultLimits()
	}
	return s.limits
}

// updateFrom brings the copy up to date from one primary. The argument have is the SOA record of the copy; nil: none.
func (s *Secondary) updateFrom(ctx context.Context, p upstream.Endpoint, have *dns.SOA) (Update, error) {
	c, err := s.dial(ctx, p)
	if err != nil {
		return Update{}, err
	}
	defer c.close()
	soa, err := c.askSOA()
	switch {
	case err != nil:
		return Update{}, err
	case have == nil:
		return s.full(c)
	case soa.Serial == have.Serial:
		return Update{Copy: newCopy(soa)}, nil
	case !newer(soa.Serial, have.Serial):
		return Update{}, fmt.Errorf("its serial %d is older than %d, which is here: remove %s to take it all the same",
			soa.Serial, have.Serial, s.File)
	}
	u, err := s.incremental(c, have)
	if err == nil || ctx.Err() != nil || errors.Is(err, blocklist.ErrHeld) {
		return u, err
	}
	c.close()
	if c, err = s.dial(ctx, p); err != nil {
		return Update{}, err
	}
	defer c.close()
	return s.full(c)
}

// full transfers the whole zone into the file (AXFR).
func (s *Secondary) full(c *primaryConn) (Update, error) {
	if err := c.ask(new(dns.Msg).SetAxfr(c.zone)); err != nil {
		return Update{}, err
	}
	t := &transfer{zone: c.zone, limits: s.limit()}
	err := s.replace(t, func(w io.Writer) error { return t.copyTo(w, c) })
	if err != nil {
		return Update{}, err
	}
	return Update{Copy: newCopy(t.soa), Replaced: true, Foreign: t.foreign}, nil
}

// replace replaces the file by what fill writes, and removes the journal. If the new file is a whole zone, Review reads
// it before. For changes of single records, Review is not called.
func (s *Secondary) replace(t *transfer, fill func(io.Writer) error) error {
	err := replaceFile(s.File, func(w io.Writer) error {
		if err := fill(w); err != nil || s.Review == nil || t.changes != nil {
			return err
		}
		f, err := os.Open(w.(*os.File).Name()) //nolint:forcetypeassert // replaceFile calls it with the new file
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was only read
		return s.Review(f)
	})
	if err == nil {
		_ = os.Remove(JournalOf(s.File)) // if it stays, it is of another file
	}
	return err
}

// incremental transfers the changes since the serial of the copy (IXFR), into the journal or the file. If the primary
// does not have these changes, it sends the whole zone.
func (s *Secondary) incremental(c *primaryConn, have *dns.SOA) (Update, error) {
	if err := c.ask(new(dns.Msg).SetIxfr(c.zone, have.Serial, have.Ns, have.Mbox)); err != nil {
		return Update{}, err
	}
	t := &transfer{zone: c.zone, limits: s.limit(), have: have}
	err := s.replace(t, func(w io.Writer) error {
		if err := t.copyTo(w, c); err != nil || t.changes == nil {
			return err
		}
		if err := s.keep(t); err != nil {
			return err
		}
		steps, err := s.readJournal()
		if err == nil && steps != "" {
			err = t.addJournal(steps)
		}
		if err != nil {
			return err
		}
		return t.applyTo(w, s.File)
	})
	switch {
	case errors.Is(err, errCurrent):
		return Update{Copy: newCopy(t.soa)}, nil
	case err != nil && !errors.Is(err, errKept):
		return Update{}, err
	}
	return Update{Copy: newCopy(t.soa), Replaced: true, Incremental: t.changes != nil, Foreign: t.foreign}, nil
}

// Notified answers a NOTIFY message (RFC 1996) about the zone. It also reports whether a primary has sent it: then the
// caller should update the zone. For any other message the answer is nil. Notified may change the packet. It accepts a
// NOTIFY message without a signature, since all that such a message can do is make the next update earlier.
func (s *Secondary) Notified(packet []byte, client netip.Addr) (answer []byte, fromPrimary bool) {
	end := dnswire.QuestionEnd(packet)
	var m dns.Msg
	if end == 0 || m.Unpack(packet) != nil || len(m.Question) != 1 || m.Response || m.Opcode != dns.OpcodeNotify {
		return nil, false
	}
	asked := m.Question[0]
	name, err := blocklist.ParseName(asked.Name)
	known := slices.ContainsFunc(s.Primaries,
		func(p upstream.Endpoint) bool { return p.Addr.Addr().Unmap() == client.Unmap() })
	if err != nil || name != s.Zone || asked.Qtype != dns.TypeSOA || asked.Qclass != dns.ClassINET || !known {
		return nil, false
	}
	r := newReply(packet[:end], m.IsEdns0() != nil, func(b []byte) error { answer = slices.Clone(b); return nil })
	dnswire.SetFlags(r.buf, dnswire.Flags(r.buf)|dns.OpcodeNotify<<11)
	if t := m.IsTsig(); t != nil {
		var keys []Key
		if s.Key != nil {
			keys = []Key{*s.Key}
		}
		if r.signer, r.tsigError = verify(keys, packet, t); r.tsigError != dns.RcodeSuccess {
			r.unsigned = t
			dnswire.SetRcode(r.buf, dns.RcodeNotAuth)
		}
	}
	_ = r.flush() // the function above never fails
	return answer, r.tsigError == dns.RcodeSuccess
}
