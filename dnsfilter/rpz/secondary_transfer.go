package rpz

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// transfer reads the records of an AXFR or IXFR. It writes the records of a whole zone at once, and collects the
// changes of an IXFR.
type transfer struct {
	zone   string // absolute name of the zone, in lower case
	have   *dns.SOA
	limits transferLimits

	soa     *dns.SOA // first record of the transfer: the SOA record of the new zone
	records int
	foreign int
	part    part
	serial  uint32   // in an IXFR, the serial to which the changes so far lead
	changes *changes // changes of an IXFR; nil: a whole zone is transferred
	w       *bufio.Writer
}

// part is the part of a transfer to which the next record belongs.
type part int

const (
	atStart part = iota
	atSecond
	inZone
	inRemoved
	inAdded
	atEnd
)

// errCurrent is returned after an IXFR whose answer is that the zone has not changed.
var errCurrent = errors.New("the zone has not changed")

// copyTo reads a transfer from a primary. It writes the records of a whole zone to a file, and collects the changes of
// an IXFR. The error is errCurrent if the zone has not changed.
func (t *transfer) copyTo(to io.Writer, c *primaryConn) error {
	t.w = bufio.NewWriterSize(to, bufferSize)
	for t.part != atEnd {
		m, err := c.next()
		if err != nil {
			return err
		}
		for _, rr := range m.Answer {
			if err := t.add(rr); err != nil {
				return err
			}
		}
		if t.have != nil && t.part == atSecond && !newer(t.soa.Serial, t.have.Serial) { // an IXFR of one record
			t.part = atEnd
			defer func() { t.changes = nil }()
			return errors.Join(endOf(c), errCurrent)
		}
		if len(m.Answer) == 0 {
			return fmt.Errorf("%w: a message without records", blocklist.ErrMalformed)
		}
	}
	if t.changes == nil {
		_, _ = t.w.WriteString(endOfZone) // Flush returns the error
	}
	return errors.Join(endOf(c), t.w.Flush())
}

// endOf returns an error if the last message should be signed and is not.
func endOf(c *primaryConn) error {
	if c.verify == nil {
		return nil
	}
	return c.verify.end()
}

// add processes the next record of the transfer. It returns an error if the record is not allowed at this point.
func (t *transfer) add(rr dns.RR) error {
	if t.records++; t.records > t.limits.records {
		return fmt.Errorf("%w: more than %d records", blocklist.ErrTooLarge, t.limits.records)
	}
	h := rr.Header()
	h.Name = dns.CanonicalName(h.Name)
	soa, isSOA := rr.(*dns.SOA)
	switch {
	case isSOA && h.Name != t.zone:
		return fmt.Errorf("%w: the SOA record of another zone, %.80q", blocklist.ErrMalformed, h.Name)
	case t.part == atEnd:
		return fmt.Errorf("%w: records behind the last SOA record", blocklist.ErrMalformed)
	case isSOA:
		return t.addSOA(soa)
	case t.part == atStart:
		return fmt.Errorf("%w: it does not begin with the SOA record", blocklist.ErrMalformed)
	case t.part == atSecond:
		if err := t.beginZone(); err != nil {
			return err
		}
	}
	if !dns.IsSubDomain(t.zone, h.Name) || h.Class != dns.ClassINET {
		t.foreign++
		return nil
	}
	return t.addRecord(rr)
}

// beginZone begins a whole zone with its SOA record.
func (t *transfer) beginZone() error {
	t.part = inZone
	return t.write(t.soa)
}

func (t *transfer) write(rr dns.RR) error {
	_, err := t.w.WriteString(rr.String() + "\n")
	return err
}

func (t *transfer) addRecord(rr dns.RR) error {
	if t.part == inZone {
		return t.write(rr)
	}
	if t.part == inRemoved {
		return t.changes.remove(rr.String())
	}
	return t.changes.add(rr.String())
}

// addSOA processes the next SOA record, which ends the current part.
func (t *transfer) addSOA(soa *dns.SOA) error {
	switch t.part {
	case atStart:
		t.soa, t.part = soa, atSecond
	case atSecond:
		return t.secondSOA(soa)
	case inZone:
		if soa.Serial != t.soa.Serial {
			return fmt.Errorf("%w: it begins with serial %d and ends with %d", blocklist.ErrMalformed, t.soa.Serial, soa.Serial)
		}
		t.part = atEnd
	case inRemoved:
		t.serial, t.part = soa.Serial, inAdded
	case inAdded:
		if soa.Serial != t.serial {
			return fmt.Errorf("%w: changes from serial %d after those to %d", blocklist.ErrMalformed, soa.Serial, t.serial)
		}
		if t.part = inRemoved; soa.Serial == t.soa.Serial {
			t.part = atEnd
		}
	case atEnd: // add does not get here
	}
	return nil
}

// secondSOA processes an SOA record that directly follows the first one. It begins the changes of an IXFR, or ends a
// zone without other records.
func (t *transfer) secondSOA(soa *dns.SOA) error {
	switch {
	case soa.Serial == t.soa.Serial:
		t.part = atEnd
		return t.write(t.soa)
	case t.have == nil:
		return fmt.Errorf("%w: it begins with serial %d and ends with %d", blocklist.ErrMalformed, t.soa.Serial, soa.Serial)
	case soa.Serial != t.have.Serial:
		return fmt.Errorf("%w: changes from serial %d, and %d is here", blocklist.ErrMalformed, soa.Serial, t.have.Serial)
	}
	t.part, t.changes = inRemoved, &changes{}
	return nil
}
