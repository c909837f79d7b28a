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
// line, the SOA record first, names from the root, and a comment at its end. What has changed since it was written may
// be in its journal, see [OpenJournal].
type Secondary struct {
	Zone      blocklist.Name
	Primaries []upstream.Endpoint // they are asked in this order, until one has the zone
	Key       *Key                // signs requests, and has to sign all of the answers; nil: no signatures
	File      string              // its folder must exist, and is for this file and its journal alone
	// Review reads a whole new zone file before it replaces the old one, which stays after an error. Nil: no review.
	Review func(file io.Reader) error
	// Apply puts changes in force, which have the form of [dnsfilter.PolicyZone.Change], after it has called keep, which
	// writes them into the journal. If it fails, which it may before it calls keep, the whole file is written. Nil: there
	// is no journal.
	Apply func(changes io.Reader, keep func() error) error

	limits transferLimits
}

// transferLimits are limits of one transfer; zero: those of the constants.
type transferLimits struct {
	records, bytes int
	within, stall  time.Duration
}

// Limits of a transfer.
const (
	maxRecords     = 20_000_000
	maxBytes       = 1 << 30
	transferWithin = 30 * time.Minute
	messageWithin  = 15 * time.Second // for connecting, and for each message
	maxChanges     = 1_000_000        // records of an IXFR; what has changed more is transferred as a whole
)

func defaultLimits() transferLimits {
	return transferLimits{maxRecords, maxBytes, transferWithin, messageWithin}
}

// errTooLong is the cause of transfers that take too long.
var errTooLong = errors.New("the transfer takes too long")

// Update is the result of [Secondary.Update].
type Update struct {
	From        upstream.Endpoint // the primary that answered
	Copy        Copy
	Replaced    bool // the copy has changed: the file, or its journal
	Incremental bool // by what has changed (IXFR)
	Foreign     int  // records outside the zone, which were left out
}

// Copy is what the SOA record of the file says. The zero value is a file that is not there.
type Copy struct {
	Serial                 uint32
	Refresh, Retry, Expire time.Duration
}

// Update brings the file up to date. After an error, the file is as before.
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

// Copy reads what the file has.
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

// updateFrom brings the file up to date from one primary.
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

// full copies the whole zone (AXFR).
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

// replace replaces the file by what fill writes, with which its journal ends. If it is a whole zone, the review has to
// agree; changes, record by record, do not make something else of a zone.
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

// incremental applies what has changed since the last transfer (IXFR), to the journal or to the file. A primary that
// lacks these changes sends the whole zone.
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

// Notified answers a notification that the zone has changed (NOTIFY, RFC 1996). It reports whether a primary has sent
// it: then the zone should be updated. For any other message it returns nil. It may change the message. A notification
// without a signature is accepted, since it does no more than make the next update earlier.
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
