package rpz

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// snapshot is the zone at one serial, in the form of its state file. Writing that file commits a change: files that it
// does not name are ignored. A snapshot does not change.
type snapshot struct {
	Zone     string       `json:"zone"`
	Serial   uint32       `json:"serial"`
	Created  time.Time    `json:"created"`
	Table    string       `json:"table"` // name of the file with the items
	Size     int64        `json:"size"`  // size of the table, in bytes
	At       int64        `json:"at"`    // Unix seconds; entries that have expired at this time are left out
	Expiry   int64        `json:"expiry,omitempty"`
	Sources  []sourceInfo `json:"sources"`
	Verdicts []verdict    `json:"verdicts"`         // an item refers to its verdict by the index; index 0 is not used
	Records  uint64       `json:"records"`          // number of records, without SOA, NS and ZONEMD
	Digest   []byte       `json:"zonemd,omitempty"` // digest in the ZONEMD record; nil: no such record
	// oldest first; each difference begins at the serial at which the one before ends
	Journal []difference `json:"journal"`

	dir  string
	file *os.File // the table; open as long as the snapshot is in use, even if the file was removed
}

// sourceInfo describes the entries of one source in the zone.
type sourceInfo struct {
	List    string            `json:"list"`
	Version string            `json:"version"`
	Entries uint64            `json:"entries"`          // number of entries in the zone
	Unsaid  map[string]uint64 `json:"unsaid,omitempty"` // number of entries that are not in the zone, by reason
}

// difference is a file with the changes from one serial to the next.
type difference struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
	File string `json:"file"`
	Size int64  `json:"size"` // size of the file, in bytes
	// Digests in the ZONEMD records of both serials; nil: no such record.
	FromDigest []byte `json:"from_zonemd,omitempty"`
	ToDigest   []byte `json:"to_zonemd,omitempty"`
}

const (
	stateFile   = "state.json"
	tablePrefix = "table-"
	diffPrefix  = "diff-"
	maxState    = 4 << 20
)

// loadSnapshot reads the state file of a zone. It returns nil if there is none. The error is [blocklist.ErrDamaged] if
// the state or its table is damaged.
func loadSnapshot(dir string, zone blocklist.Name) (*snapshot, error) {
	path := filepath.Join(dir, stateFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	s := &snapshot{dir: dir}
	if len(text) > maxState || json.Unmarshal(text, s) != nil || s.Zone != zone.String() {
		return nil, fmt.Errorf("reading %s: %w", path, blocklist.ErrDamaged)
	}
	if s.file, err = os.Open(filepath.Join(dir, filepath.Base(s.Table))); err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", path, blocklist.ErrDamaged, err)
	}
	if info, err := s.file.Stat(); err != nil || info.Size() != s.Size {
		return nil, errors.Join(fmt.Errorf("reading %s: %w: its table is cut short", path, blocklist.ErrDamaged), s.file.Close())
	}
	return s, nil
}

// items returns a reader of the table.
func (s *snapshot) items() itemReader {
	return &fileReader{in: bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.Size), bufferSize)}
}

// save commits the snapshot by writing the state file, and removes the files that are no longer needed.
func (s *snapshot) save() error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(s.dir, stateFile), text); err != nil {
		return err
	}
	s.sweep()
	return nil
}

// sweep removes the files that the snapshot does not name. It ignores errors, since the next call tries again.
func (s *snapshot) sweep() {
	files, _ := os.ReadDir(s.dir)
	for _, f := range files {
		name := f.Name()
		named := name == stateFile || name == s.Table ||
			slices.ContainsFunc(s.Journal, func(d difference) bool { return d.File == name })
		own := strings.HasPrefix(name, tablePrefix) || strings.HasPrefix(name, diffPrefix) ||
			strings.HasPrefix(name, tempPrefix)
		if own && !named {
			os.Remove(filepath.Join(s.dir, name)) //nolint:errcheck // see above
		}
	}
}

// writeFile replaces a file atomically and durably.
func writeFile(path string, content []byte) error {
	return replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// replaceFile is writeFile for content that fill writes.
func replaceFile(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	if err = errors.Join(fill(f), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// walk returns the owners of the zone at this serial.
func (s *snapshot) walk() *walker { return newWalker(s.items(), s.At, len(s.Sources)) }

// Timers of the SOA record, in seconds. A secondary that gets no notifications asks each minute. A secondary that
// reaches no primary keeps the zone for four weeks, since an expired zone blocks nothing.
const (
	refresh = 60
	retry   = 30
	expire  = 28 * 24 * 3600
)

// soa returns the data of the SOA record.
func soa(serial uint32) data {
	const names = "\x09localhost\x00\x06nobody\x07invalid\x00"
	d := newData(dns.TypeSOA, ttl, names+strings.Repeat("\x00", 20))
	for i, v := range []uint32{serial, refresh, retry, expire, ttl} {
		binary.BigEndian.PutUint32(d[len(d)-20+4*i:], v)
	}
	return d
}

// nameServer returns the data of the NS record, which each zone must have. No resolver uses it.
func nameServer() data { return newData(dns.TypeNS, ttl, "\x09localhost\x00") }

// top returns the records of the zone itself, with the SOA record first.
func (s *snapshot) top() []data { return append(serialRecords(s.Serial, s.Digest), nameServer()) }

// serialRecords returns the records of the zone itself that change with the serial: SOA and, with a digest, ZONEMD.
func serialRecords(serial uint32, digest []byte) []data {
	if digest == nil {
		return []data{soa(serial)}
	}
	return []data{soa(serial), zonemd(serial, digest)}
}

// newer reports whether serial a is later than serial b (RFC 1982).
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// nextSerial returns the serial after the given one. It is the Unix time, so that serials never go back, even if the
// state is lost. If the time is not later than the given serial, it is that serial plus one.
func nextSerial(before uint32, now time.Time) uint32 {
	if s := uint32(now.Unix()); before == 0 || newer(s, before) {
		return s
	}
	if before++; before == 0 {
		before++
	}
	return before
}
