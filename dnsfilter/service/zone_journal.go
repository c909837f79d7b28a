package service

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// A policy zone that is copied has a journal beside its file, see [rpz.OpenJournal], and so has the copy of the file in
// force. Changes that need no look at the whole zone go into both, and into the rules in memory.

// errJournal is the error for a journal that does not fit the file of its zone.
var errJournal = errors.New("the journal does not fit its file")

// errWhole is the error for changes that can't be applied to the zone in force, so that the whole zone has to be read.
var errWhole = errors.New("the whole zone has to be read")

// readJournal applies the journal of the file at path, if there is one, to the zone that was read from the file. It
// returns the report on the changed zone, or the argument read, the report on the unchanged zone, if there is no
// journal. It also writes the bytes of the journal to sum, a hash.
func readJournal(path string, zone *dnsfilter.PolicyZone, read dnsfilter.ZoneReport,
	sum io.Writer,
) (dnsfilter.ZoneReport, error) {
	journal, err := rpz.OpenJournal(path)
	if errors.Is(err, fs.ErrNotExist) {
		return read, nil
	}
	if err != nil {
		return read, err
	}
	defer journal.Close() //nolint:errcheck // it was only read
	c, err := zone.Change(io.TeeReader(journal, sum), read)
	if err != nil {
		return read, fmt.Errorf("%s: %w: %w", rpz.JournalOf(path), errJournal, err)
	}
	c.Adopt()
	return c.Report, nil
}

// changeZone puts changes of the fetched policy zone of a list in force, as [zoneLists.change] does. It is the function
// [rpz.Secondary].Apply. If the settings in force do not have the list, it returns errWhole.
func (s *running) changeZone(list string, changes io.Reader, keep func() error) error {
	current := s.active.Load()
	if current == nil {
		return errWhole
	}
	for _, l := range current.settings.ZoneLists() {
		if l.Rule.List == list {
			return s.zoneLists.change(l, current.guards, changes, keep)
		}
	}
	return errWhole
}

// change puts changes of a policy zone in force, after the function keep has written them to the journal. It fails if
// the present file is not in force, if the changes do not fit, or if the guards put them on hold. Then the caller has
// to read the whole file.
func (z *zoneLists) change(l *config.List, by guards, changes io.Reader, keep func() error) error {
	z.loading.Lock()
	defer z.loading.Unlock()
	begin := time.Now()
	zone, f := l.Rule.Zone, l.LocalFile()
	now := z.state(zone)
	if source, err := f.Source(); err != nil || source != now.source {
		return errWhole
	}
	c, err := zone.Change(changes, now.report)
	if err != nil {
		z.log.Info("a changed policy zone has to be read as a whole", slog.String("list", f.List), slog.Any("error", err))
		return err
	}
	review := by.review(f, false)
	if review.hold(f, now.change(c.Report, review.zone(c.Review)), nil) != nil {
		return blocklist.ErrHeld
	}
	if err := keep(); err != nil {
		return err
	}
	c.Adopt()
	if now.source, err = f.Source(); err == nil {
		err = z.keepJournal(f)
	}
	now.report = c.Report
	z.set(zone, now)
	z.log.Info("policy zone changed", slog.String("list", f.List), slog.Uint64("serial", uint64(now.report.Serial)),
		slog.Int("rules", now.report.Rules), slog.Duration("took", time.Since(begin)))
	if err != nil {
		z.log.Error("a changed policy zone is in force, but its copy was not kept", slog.String("list", f.List), slog.Any("error", err))
	}
	return nil
}

// keepJournal copies the journal of a file in force to the folder of the copies. It does nothing if there is no
// journal.
func (z *zoneLists) keepJournal(f config.LocalFile) error {
	if z.dir == "" {
		return nil
	}
	err := copyFile(rpz.JournalOf(zoneCopy(z.dir, f.List)), rpz.JournalOf(f.Path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeping a copy of the journal of list %s: %w", f.List, err)
	}
	return nil
}

// sameZone reports whether the copy of a policy zone (kept) is the same as its file, and the journal of the copy the
// same as that of the file. Files are the same if they have the same size and modification time.
func sameZone(kept, path string) bool {
	if !sameFile(kept, path) {
		return false
	}
	_, err := os.Stat(rpz.JournalOf(path))
	_, err2 := os.Stat(rpz.JournalOf(kept))
	return errors.Is(err, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) ||
		sameFile(rpz.JournalOf(kept), rpz.JournalOf(path))
}

func sameFile(kept, path string) bool {
	a, err := os.Stat(kept)
	b, err2 := os.Stat(path)
	return err == nil && err2 == nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
