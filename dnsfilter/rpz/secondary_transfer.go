package rpz

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// transfer reads the records of a transfer, of a whole zone or of what has changed. Records of a whole zone are written
// at once; changes are collected.
type transfer struct {
	zone   string // as a name with a dot at its end, in lower case
	have   *dns.SOA
	limits transferLimits

	soa     *dns.SOA // the first record: of the new zone
	records int
	foreign int
	part    part
	serial  uint32   // of an IXFR: the serial that the changes so far lead to
	changes *changes // of an IXFR; nil: it is the whole zone
	w       *bufio.Writer
}

// part is a part of a transfer.
type part int

const (
	atStart part = iota
	atSecond
	inZone
	inRemoved
	inAdded
	atEnd
)

// errCurrent is returned for an IXFR that says that nothing has changed.
var errCurrent = errors.New("the zone has not changed")

// copyTo reads a transfer and writes the records of a whole zone.
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

// endOf checks the signature of the last message.
func endOf(c *primaryConn) error {
	if c.verify == nil {
		return nil
	}
	return c.verify.end()
}

// add takes the next record.
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

// beginZone begins a whole zone.
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

// addSOA takes the next SOA record, which ends a part.
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

// secondSOA takes a SOA record behind the first: that of an IXFR, or the end of an empty zone.
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
