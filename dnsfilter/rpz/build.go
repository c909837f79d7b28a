package rpz

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
)

// build makes the next snapshot of a zone from the current snapshot and the lists that have changed.
type build struct {
	config *Config
	dir    string
	old    *snapshot // the current snapshot; nil: none
	next   *snapshot
	keep   []int // for each source of old, its index in next.Sources; -1: its entries are not taken over
	read   []*sorter
	// changes of sources whose other entries are taken over; an item with the verdict removal removes its entry
	changes []*sorter
	errs    []error // reasons why some sources are not up to date
	stale   bool    // the next snapshot differs from the current one

	actions [MaxSources][dnsfilter.Divert + 1]uint8 // indexes in next.Verdicts, by source and action; 0: not added yet
}

// update brings the zone up to date with its lists. If a list can't be read, its earlier entries stay, and the error
// says so. After any other error, the zone stays as it was.
func (z *Zone) update(ctx context.Context) error {
	c := z.config.Load()
	b := &build{config: c, dir: z.dir, old: z.current.Load()}
	defer b.close()
	if err := b.sources(ctx); err != nil {
		return err
	}
	if b.stale {
		if err := b.write(); err != nil {
			return err
		}
		z.current.Store(b.next)
		if b.old == nil || b.old.Serial != b.next.Serial {
			c.Log.Info("the zone has changed", b.next.attrs()...)
		}
	}
	return errors.Join(b.errs...)
}

func (b *build) close() {
	for _, s := range slices.Concat(b.read, b.changes) {
		if err := s.close(); err != nil {
			b.config.Log.Warn("removing a temporary file", slog.Any("error", err))
		}
	}
}

// sources decides for each source whether its entries are taken over, changed or read again.
func (b *build) sources(ctx context.Context) error {
	now := time.Now()
	b.next = &snapshot{
		Zone: b.config.Name.String(), At: now.Unix(), Created: now.UTC().Truncate(time.Second),
		Verdicts: []verdict{{}}, Sources: make([]sourceInfo, len(b.config.Sources)), dir: b.dir,
	}
	b.stale = b.old == nil || len(b.old.Sources) != len(b.config.Sources) ||
		b.old.Expiry != 0 && b.old.Expiry <= b.next.At ||
		b.digestChanges()
	if b.old != nil {
		b.keep = slices.Repeat([]int{-1}, len(b.old.Sources))
	}
	for i := range b.config.Sources {
		if err := b.source(ctx, i); err != nil {
			err = fmt.Errorf("list %s: %w", b.config.Sources[i].Rule.List, err)
			if b.old == nil {
				return err // an incomplete zone would take what it lacks away from its secondaries
			}
			b.errs = append(b.errs, err)
		}
	}
	if kept := slices.DeleteFunc(slices.Clone(b.keep), func(n int) bool { return n < 0 }); !slices.IsSorted(kept) {
		return errors.New("the order of the lists has changed, and one of them can't be read")
	}
	return nil
}

// source reads the entries of a source, or only its changes. If nothing has changed, or if the source can't be read, it
// takes over the entries of the current snapshot.
func (b *build) source(ctx context.Context, i int) error {
	src := &b.config.Sources[i]
	was := -1
	if b.old != nil {
		was = slices.IndexFunc(b.old.Sources, func(s sourceInfo) bool { return s.List == src.Rule.List })
	}
	version, err := src.version(i)
	if err == nil && was >= 0 && b.old.Sources[was].Version == version {
		b.keepSource(i, was)
		return nil
	}
	var info sourceInfo
	changes := false
	if err == nil && was >= 0 {
		info, changes, err = b.readChanges(ctx, i, b.old.Sources[was], version)
	}
	if err == nil && !changes {
		info, err = b.readSource(ctx, i, version)
	}
	switch {
	case err == nil:
		if b.next.Sources[i], b.stale = info, true; changes {
			b.keep[was] = i
		}
		return nil
	case was >= 0:
		b.keepSource(i, was)
		return err
	}
	b.next.Sources[i] = sourceInfo{List: src.Rule.List}
	return err
}

// version returns a text that identifies the entries of source number i, and what the policy does with them.
func (src *Source) version(i int) (string, error) {
	v, err := src.Version()
	return v + src.policy(i), err
}

// policy returns a text that identifies what the policy does with the entries of source number i.
func (src *Source) policy(i int) string {
	r := &src.Rule
	text := fmt.Sprintf("; %d allow=%t %s %v %v %d", i, src.Allow, r.Action, r.Categories, r.Sinkhole, r.TTL)
	if r.SinkholeName != "" {
		text += " " + r.SinkholeName.String()
	}
	return text
}

// before splits an earlier result of version, and returns its first part: the version of the entries. It returns false
// if the policy for the source has changed since then.
func (src *Source) before(i int, version string) (entries string, same bool) {
	return strings.CutSuffix(version, src.policy(i))
}

// errChanging is returned for a source that has changed while it was read. The caller reads it again at once.
var errChanging = errors.New("it has changed while it was read")

// unchanged returns errChanging if the source no longer has the given version.
func (src *Source) unchanged(i int, version string) error {
	if now, err := src.version(i); err != nil || now != version {
		return errors.Join(errChanging, err)
	}
	return nil
}

// keepSource takes over the entries of a source. The arguments are the indexes of the source in next.Sources and in
// old.Sources.
func (b *build) keepSource(i, old int) {
	b.next.Sources[i], b.keep[old] = b.old.Sources[old], i
}

// number returns the index of a verdict in next.Verdicts, and adds it if it is missing. The error is
// [blocklist.ErrTooLarge] if there are too many.
func (b *build) number(v verdict) (uint8, error) {
	same := func(other verdict) bool { return other.Source == v.Source && saysSame(&v, &other) }
	if n := slices.IndexFunc(b.next.Verdicts[1:], same); n >= 0 {
		return uint8(n + 1), nil
	}
	if len(b.next.Verdicts) > 255 {
		return 0, fmt.Errorf("zone %s: %w: more than 255 combinations of lists and actions", b.next.Zone, blocklist.ErrTooLarge)
	}
	b.next.Verdicts = append(b.next.Verdicts, v)
	return uint8(len(b.next.Verdicts) - 1), nil
}

// saysSame reports whether two verdicts consist of the same records.
func saysSame(v, other *verdict) bool {
	return slices.EqualFunc(v.Records, other.Records, func(a, b data) bool { return bytes.Equal(a, b) })
}

// checkEvery is the number of entries after which reading checks again whether its context has ended. Each check takes
// a lock.
const checkEvery = 1 << 12

// readSource reads and sorts all entries of a source.
func (b *build) readSource(ctx context.Context, i int, version string) (info sourceInfo, err error) {
	src := &b.config.Sources[i]
	s := &sorter{dir: b.dir}
	b.read = append(b.read, s)
	defer func() {
		if err != nil {
			b.read = b.read[:len(b.read)-1]
			err = errors.Join(err, s.close())
		}
	}()
	info = sourceInfo{List: src.Rule.List, Version: version, Unsaid: map[string]uint64{}}
	var buf []byte
	n := 0
	for e, err := range src.Entries() {
		if n++; n%checkEvery == 0 && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return info, err
		}
		verdict, why, err := b.judge(i, &e)
		if err != nil {
			return info, err
		}
		if why != "" {
			info.Unsaid[why]++
			continue
		}
		info.Entries++
		buf = appendItem(buf[:0], &e, i, verdict)
		if err := s.add(buf); err != nil {
			return info, err
		}
	}
	return info, errors.Join(src.unchanged(i, version), s.settle())
}

// judge returns the index of the verdict on an entry, or the reason why a policy zone can't express the entry.
func (b *build) judge(i int, e *blocklist.Entry) (n uint8, why string, err error) {
	src := &b.config.Sources[i]
	if e.Scope == blocklist.ScopeURL {
		return 0, "url", nil
	}
	if _, ok := formats.RPZTrigger(*e, b.config.Name); !ok {
		return 0, "name", nil // too long with the name of the zone after it, or reserved
	}
	action := src.Rule.ActionFor(&blocklist.Match{Scope: e.Scope, Category: e.Category, Monitor: e.Monitor})
	records := sayings(&src.Rule, action)
	if src.Allow {
		action, records = dnsfilter.Pass, []data{newData(dns.TypeCNAME, ttl, toPass)}
	}
	switch {
	case e.Monitor || action == dnsfilter.Monitor:
		return 0, "monitor", nil
	case records == nil:
		return 0, action.String(), nil
	}
	if b.actions[i][action] == 0 {
		b.actions[i][action], err = b.number(verdict{Source: i, Records: records})
	}
	return b.actions[i][action], "", err
}

// items returns all items of the next table, in order.
func (b *build) items() (itemReader, error) {
	all := &runMerger{}
	for _, s := range b.read {
		r, err := s.sorted()
		if err != nil {
			return nil, err
		}
		all.runs = append(all.runs, r)
	}
	if b.old == nil {
		return all, nil
	}
	a := &adopter{sources: b.keep, verdicts: make([]uint8, len(b.old.Verdicts))}
	for n, v := range b.old.Verdicts[1:] {
		if b.keep[v.Source] < 0 {
			continue
		}
		var err error
		v.Source = b.keep[v.Source]
		if a.verdicts[n+1], err = b.number(v); err != nil {
			return nil, err
		}
	}
	a.from = b.old.items()
	kept, err := b.changed(a)
	all.runs = append(all.runs, kept)
	return all, err
}

// write writes the table of the next snapshot and its difference from the current one, and commits the snapshot.
func (b *build) write() error {
	items, err := b.items()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(b.dir, tablePrefix+"*")
	if err != nil {
		return err
	}
	if err = b.fill(f, items); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return nil
}

// fill writes the next table to the new file f, and commits the snapshot. It leaves f open, since the snapshot reads
// it.
func (b *build) fill(f *os.File, items itemReader) error {
	r := &recorder{from: items, out: bufio.NewWriterSize(f, bufferSize), at: b.next.At}
	diff, err := b.compare(r)
	if err = errors.Join(err, r.out.Flush(), f.Sync()); err != nil {
		return err
	}
	b.next.Expiry, b.next.Table, b.next.file = r.expiry, filepath.Base(f.Name()), f
	if b.next.Size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	if err = b.succeed(diff); err != nil {
		return err
	}
	return b.next.save()
}

// succeed sets serial, digest and journal of the next snapshot. If its records are those of the current snapshot, it
// keeps the serial.
func (b *build) succeed(d *differ) error {
	var before uint32
	if b.old != nil {
		before, b.next.Journal = b.old.Serial, b.old.Journal
		if !d.changed && !b.digestChanges() {
			b.next.Serial, b.next.Created, b.next.Digest = before, b.old.Created, b.old.Digest
			return nil
		}
	}
	b.next.Serial = nextSerial(before, time.Now())
	if b.config.ZONEMD {
		if err := b.next.digest(); err != nil {
			return fmt.Errorf("making the digest of the zone: %w", err)
		}
	}
	if b.old == nil {
		return nil
	}
	return b.next.addDifference(b.old, d)
}

// digestChanges reports whether the setting ZONEMD has changed since the current snapshot, so that the digest has to be
// added or removed.
func (b *build) digestChanges() bool { return b.old != nil && b.config.ZONEMD != (b.old.Digest != nil) }
