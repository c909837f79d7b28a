package dnsfilter

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// ZoneChange is a change of a policy zone that is not in force yet.
type ZoneChange struct {
	Report ZoneReport // report on the zone after the change

	zone        *PolicyZone
	before, now *zoneRules
	places      map[placeKey]zoneOwner // owners of the rules that change

	reader *zoneReader
	soas   int    // number of SOA records read so far
	serial uint32 // serial to which the changes read so far lead
}

// placeKey is a [zoneOwner] as a map key.
type placeKey struct {
	trigger Trigger
	name    string
	below   bool
	prefix  netip.Prefix
}

// Change applies an incremental transfer to a copy of the zone's rules. The argument text is the answer to an IXFR
// request (RFC 1995, section 4) without its last record, in the form of a zone file. The argument report is the report
// on the current zone. Records that this report counts as skipped stay skipped. The change comes into force with
// [ZoneChange.Adopt], which the caller has to call before the next Change.
//
// The error is [blocklist.ErrMalformed] if the changes do not fit the current zone. It is also ErrMalformed if their
// result is unclear: if records repeat or contradict others, or if a changed record is no rule. Then the caller has to
// read the whole zone. The error is [blocklist.ErrTooLarge] for more than ten million rules.
//
// RFC 1995 does not say how to compare a removed record with the records of the zone. RFC 2136, section 1.1.1, leaves
// the TTL out of the comparison of records. For a record that is an action, Change does the same, since an action has
// no TTL. For local data, the TTL has to be equal, since it appears in answers. BIND compares the TTL of all records.
//
// The memory of removed rules is freed only when the whole zone is read again. So the caller has to limit the changes
// between two readings of the whole zone. Package rpz collects them in a file of at most 64 KiB, or a sixteenth of the
// zone file if that is more, and then writes a new zone file.
func (z *PolicyZone) Change(text io.Reader, report ZoneReport) (*ZoneChange, error) {
	before := z.current.Load()
	c := &ZoneChange{
		Report: report, zone: z, before: before, now: before.clone(), places: map[placeKey]zoneOwner{},
		serial: report.Serial,
	}
	c.reader = z.reader(text, c.now)
	c.reader.begins = c.begins
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("changing policy zone %s: %w", z.name, err)
	}
	c.Report.Rules, c.Report.Triggers, c.reader = c.reader.builder.total, c.now.byTrigger(), nil
	return c, nil
}

// Adopt puts the change in force.
func (c *ZoneChange) Adopt() { c.zone.current.Store(c.now) }

// clone returns a copy of the rules, for changes. The original stays as it is.
func (z *zoneRules) clone() *zoneRules {
	out := *z
	out.names, out.servers = z.names.clone(), z.servers.clone()
	out.clients, out.answers, out.serverIPs = z.clients.clone(), z.answers.clone(), z.serverIPs.clone()
	out.local = slices.Clip(z.local)
	return &out
}

// read applies the changes to the copy of the rules. It fails if the changes do not fit, or if their result is unclear.
func (c *ZoneChange) read() error {
	r := c.reader
	for r.scanner.Next() {
		soas, why := c.soas, r.scanner.Malformed
		if why == "" {
			var err error
			if why, err = r.entry(); err != nil {
				return err
			}
		}
		if why != "" {
			return c.unfit(why)
		}
		if c.soas == soas {
			c.Report.Lines += c.sign()
		}
	}
	switch {
	case r.scanner.Err() != nil:
		return r.scanner.Err()
	case c.soas < 3 || c.sign() < 0 || c.serial != c.Report.Serial:
		return c.unfit("the changes have no end")
	case c.now.unclear:
		return c.unfit("records repeat or contradict others")
	case r.builder.total > maxZoneRules:
		return fmt.Errorf("%w: more than %d rules", blocklist.ErrTooLarge, maxZoneRules)
	}
	return nil
}

// sign returns -1 while the changes remove records, and 1 while they add records.
func (c *ZoneChange) sign() int { return 2*(c.soas%2) - 1 }

func (c *ZoneChange) unfit(why string) error {
	return fmt.Errorf("%w: line %d of the changes: %s", blocklist.ErrMalformed, c.reader.scanner.Line, why)
}

// begins is called for each SOA record of an incremental transfer. The first one is that of the new zone. Each further
// one begins a series of removed records, or of added records: begins sets the function that removes or adds them. It
// fails if removed records are not those of the serial to which the earlier changes lead.
func (c *ZoneChange) begins(serial uint32) error {
	c.soas++
	switch {
	case c.soas == 1:
		c.Report.Serial = serial
		c.reader.take = func(zoneOwner, zoneAction) string { return "a record before the second SOA record" }
	case c.sign() > 0:
		c.serial = serial
		c.reader.take = c.noting(c.reader.builder.add)
	case serial != c.serial:
		return fmt.Errorf("%w: changes of serial %d, and %d is here", blocklist.ErrMalformed, serial, c.serial)
	default:
		c.reader.take = c.noting(c.reader.builder.drop)
	}
	return nil
}

// noting returns a function that adds the owner of a rule to c.places, the owners whose rules change. Then the function
// calls take.
func (c *ZoneChange) noting(take func(zoneOwner, zoneAction) string) func(zoneOwner, zoneAction) string {
	return func(at zoneOwner, a zoneAction) string {
		key := placeKey{at.trigger, string(at.name), at.below, at.prefix}
		if _, ok := c.places[key]; !ok {
			noted := at
			noted.name = bytes.Clone(at.name)
			c.places[key] = noted
		}
		return take(at, a)
	}
}
