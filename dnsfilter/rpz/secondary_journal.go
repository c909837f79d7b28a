package rpz

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// The journal of a zone file has what has changed since the file was written, as the answer to an IXFR has it (RFC
// 1995, section 4), in the form of a zone file: the SOA record as it is now; then for each step the SOA record before
// it, the records that it removes, the SOA record after it, and the records that it adds; at the end endOfZone. It is
// of a file if its first step begins with the SOA record of the file. A change replaces the whole journal, which is
// short.

// JournalOf returns the path of the journal of a zone file. No zone file of another list can have this path.
func JournalOf(file string) string { return file + "+journal" }

// longestJournal returns the maximum size of a journal, in bytes. The argument is the size of the zone file. If the
// journal would become longer, its changes are written to the zone file.
func longestJournal(file int64) int64 { return max(64<<10, file/16) }

// OpenJournal opens the journal of a zone file. The error is [fs.ErrNotExist] if there is no journal, or if it belongs
// to another version of the file.
func OpenJournal(file string) (*os.File, error) {
	head, err := firstLines(file, 1)
	if err != nil {
		return nil, err
	}
	lines, err := firstLines(JournalOf(file), 2)
	if err != nil {
		return nil, err
	}
	if lines[1] != head[0] {
		return nil, fmt.Errorf("%s is of another file: %w", JournalOf(file), fs.ErrNotExist)
	}
	return os.Open(JournalOf(file))
}

// firstLines returns the first n lines of a file, including their line ends.
func firstLines(path string, n int) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	r := bufio.NewReader(io.LimitReader(f, int64(n)*maxLine))
	lines := make([]string, n)
	for i := range lines {
		if lines[i], err = r.ReadString('\n'); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return lines, nil
}

// newest returns the SOA record of the copy: that of the journal or, without a journal, that of the zone file. It
// returns nil if there is no complete copy.
func (s *Secondary) newest() *dns.SOA {
	soa := readSOA(s.File, s.Zone)
	if soa == nil {
		return nil
	}
	if f, err := OpenJournal(s.File); err == nil {
		_ = f.Close() // nothing was read from it
		if now := readSOA(JournalOf(s.File), s.Zone); now != nil {
			return now
		}
	}
	return soa
}

// errKept says that the changes are in the journal now, so the zone file need not be written.
var errKept = errors.New("the changes are in the journal")

// step returns the changes of an IXFR as the text of one step of a journal.
func (t *transfer) step() string {
	var text strings.Builder
	for i, lines := range []map[string]bool{t.changes.removed, t.changes.added} {
		text.WriteString([]*dns.SOA{t.have, t.soa}[i].String() + "\n")
		for _, line := range slices.Sorted(maps.Keys(lines)) {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

// keep writes the changes of an IXFR to the journal, and puts them in force by Apply. It returns errKept on success, or
// nil if the changes have to be written to the zone file.
func (s *Secondary) keep(t *transfer) error {
	if s.Apply == nil {
		return nil
	}
	step, first := t.step(), t.soa.String()+"\n"
	before, err := s.readJournal()
	info, statErr := os.Stat(s.File)
	if err != nil || statErr != nil || int64(len(before)+len(step)) > longestJournal(info.Size()) {
		return nil //nolint:nilerr // the file will say what is wrong
	}
	if s.Apply(strings.NewReader(first+step), func() error {
		return writeFile(JournalOf(s.File), []byte(first+before+step+endOfZone))
	}) != nil {
		return nil
	}
	return errKept
}

// readJournal returns the text of all steps in the journal, which is empty if the zone file has no journal.
func (s *Secondary) readJournal() (string, error) {
	f, err := OpenJournal(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(f)
	_, steps, _ := strings.Cut(strings.TrimSuffix(string(text), endOfZone), "\n")
	return steps, err
}

// addJournal merges the steps of the journal with the later changes of this transfer.
func (t *transfer) addJournal(steps string) error {
	all := &changes{}
	take, next := all.add, all.remove
	for line := range strings.Lines(steps + t.step()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, t.zone+"\t") && strings.Contains(line, "\tSOA\t") {
			take, next = next, take
		} else if err := take(line); err != nil {
			return err
		}
	}
	t.changes = all
	return nil
}
