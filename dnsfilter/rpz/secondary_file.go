package rpz

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// changes are the records that an IXFR removes and adds, as lines of a zone file. If the IXFR adds a record and removes
// it later, the record is in neither set.
type changes struct{ removed, added map[string]bool }

func (c *changes) remove(line string) error { return move(&c.added, &c.removed, line) }
func (c *changes) add(line string) error    { return move(&c.removed, &c.added, line) }

// move removes a line from the first set if it is there. Otherwise it adds the line to the second set.
func move(from, to *map[string]bool, line string) error {
	if (*from)[line] {
		delete(*from, line)
		return nil
	}
	if *to == nil {
		*to = map[string]bool{}
	}
	if (*to)[line] = true; len(*to) > maxChanges {
		return fmt.Errorf("%w: more than %d changes", blocklist.ErrTooLarge, maxChanges)
	}
	return nil
}

// applyTo reads the zone file at path, and writes it with the changes applied. It fails if the changes do not fit the
// file; then the whole zone is transferred. RFC 1995 does not say how to compare records. They are compared with their
// TTL, as in BIND, since primaries repeat in an IXFR the TTL that they have sent before.
func (t *transfer) applyTo(to io.Writer, path string) error {
	w := bufio.NewWriterSize(to, bufferSize)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, bufferSize), maxLine)
	lines.Scan() // the SOA record
	_, _ = w.WriteString(t.soa.String() + "\n")
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case string(line) == endOfZone[:len(endOfZone)-1]:
			continue
		case t.changes.removed[string(line)]:
			delete(t.changes.removed, string(line))
			continue
		case t.changes.added[string(line)]:
			return fmt.Errorf("%w: a record that is added is there already: %.80q", blocklist.ErrMalformed, line)
		}
		_, _ = w.Write(line)
		_ = w.WriteByte('\n') // Flush returns the error
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for line := range t.changes.removed {
		return fmt.Errorf("%w: a record that is removed is not there: %.80q", blocklist.ErrMalformed, line)
	}
	for line := range t.changes.added {
		_, _ = w.WriteString(line + "\n")
	}
	_, _ = w.WriteString(endOfZone)
	return w.Flush()
}

// endOfZone is the last line of a zone file or journal. Without this line, the file is incomplete.
const endOfZone = "; end of the zone\n"

// maxLine is the maximum length of a line of a zone file, in bytes. A record of 64 KiB is four times as long if every
// byte is escaped.
const maxLine = 1 << 19

// readSOA returns the SOA record of a zone file or journal, or nil if the file is incomplete, or not of this zone.
func readSOA(path string, zone blocklist.Name) *dns.SOA {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // it was only read
	line, err := bufio.NewReader(io.LimitReader(f, maxLine)).ReadString('\n')
	end := make([]byte, len(endOfZone))
	if _, err := f.Seek(-int64(len(end)), io.SeekEnd); err != nil {
		return nil
	}
	if _, err := io.ReadFull(f, end); err != nil || string(end) != endOfZone {
		return nil
	}
	if err != nil || !strings.Contains(line, "\tSOA\t") {
		return nil
	}
	rr, err := dns.NewRR(line)
	soa, ok := rr.(*dns.SOA)
	if err != nil || !ok || dns.CanonicalName(soa.Hdr.Name) != dns.Fqdn(zone.String()) {
		return nil
	}
	return soa
}

// removeTemps removes the temporary files that are left in a folder after a crash.
func removeTemps(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
