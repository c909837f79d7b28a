package service

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// zoneLists keeps the policy zones among the lists up to date with their files. The rules of a zone are in memory only.
// So the state folder has a copy of each file in force. When the service starts, it reads the copies, since the files
// themselves may have changed and be on hold.
type zoneLists struct {
	log  *slog.Logger
	dir  string // folder of the copies; empty: no copies are kept
	held *localHolds

	loading sync.Mutex // locked while a zone is loaded or changed
	mu      sync.Mutex
	states  map[*dnsfilter.PolicyZone]zoneState
}

// zoneState is the state of a policy zone in force.
type zoneState struct {
	source string // state of the file in force, see [config.LocalFile.Source]; empty: none is in force
	report dnsfilter.ZoneReport
	err    error // why the present file is not in force; nil: it is in force, or on hold
}

// zoneCopies returns the folder in the state folder for the copies of policy zones. Without a state folder, it returns
// an empty path.
func zoneCopies(state string) string {
	if state == "" {
		return ""
	}
	return filepath.Join(state, "zones")
}

// zoneCopy returns the path of the copy of a policy zone, by the name of its list.
func zoneCopy(dir, list string) string {
	return filepath.Join(dir, strings.ReplaceAll(list, "/", "_")) // no list name has a _
}

// state returns the state of a policy zone. The zero value means that nothing is in force.
func (z *zoneLists) state(zone *dnsfilter.PolicyZone) zoneState {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.states[zone]
}

func (z *zoneLists) set(zone *dnsfilter.PolicyZone, state zoneState) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.states[zone] = state
}

// load loads the file of a policy zone, unless the file is in force already, or is still to be fetched. If loading
// fails, or if the guards put the file on hold, the old rules stay. The argument accepted is the ID of a hold that a
// person has accepted. This hold is ignored: the file comes into force. Empty: no hold is ignored.
func (z *zoneLists) load(l *config.List, by guards, accepted string) error {
	z.loading.Lock()
	defer z.loading.Unlock()
	defer relaxGC()()
	zone, f := l.Rule.Zone, l.LocalFile()
	before := z.state(zone)
	if before.source == "" {
		before = z.restore(f, zone)
	}
	before.err = nil
	z.set(zone, before)
	if f.Awaited() {
		return nil
	}
	begin := time.Now()
	next := dnsfilter.NewPolicyZone(l.RPZ)
	now, held, err := by.readZone(f, next, zone, before)
	if errors.Is(err, errJournal) && f.Fetched && os.Remove(rpz.JournalOf(f.Path)) == nil {
		z.log.Error("the journal was removed; what it had is copied again", slog.Any("error", err))
		now, held, err = by.readZone(f, next, zone, before)
	}
	switch {
	case err != nil:
		before.err = fmt.Errorf("loading list %s: %w", f.List, err)
		z.set(zone, before)
		return before.err
	case now.source == before.source:
		return z.held.set(f.List, nil)
	case held != nil && held.ID != accepted:
		logHold(z.log, f, held, before.source != "")
		return z.held.set(f.List, held)
	}
	zone.Adopt(next)
	z.set(zone, now)
	z.logLoaded(f, now.report, time.Since(begin))
	return errors.Join(z.keepCopy(f), z.held.set(f.List, nil))
}

// loadSettled calls load, and calls it again if the file changes meanwhile.
func (z *zoneLists) loadSettled(l *config.List, by guards) error {
	return whileChanging(z.log, only(l.File), func() error { return z.load(l, by, "") })
}

// readZone reads the file of a policy zone into next, and returns its state. The argument before is the earlier zone,
// and the argument had is its state. If the file has not changed since that state, readZone does not read it. The
// guards compare next with before. The result held is nil if the guards have no findings.
func (g guards) readZone(f config.LocalFile, next, before *dnsfilter.PolicyZone,
	had zoneState,
) (now zoneState, held *localHold, err error) {
	if now.source, err = f.Source(); err != nil || now.source == had.source {
		return now, nil, err
	}
	file, err := files.Open(f.Path)
	if err != nil {
		return now, nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	sum := sha256.New()
	if now.report, err = next.Read(io.TeeReader(file, sum)); err != nil {
		return now, nil, err
	}
	if now.report, err = readJournal(f.Path, next, now.report, sum); err != nil {
		return now, nil, err
	}
	if source, err := f.Source(); err != nil || source != now.source {
		return now, nil, errChanging
	}
	review := g.review(f, had.source == "")
	added := review.zone(func(add func(blocklist.Entry)) int { return next.Review(before, add) })
	if held = review.hold(f, had.change(now.report, added), sum.Sum(nil)); held != nil {
		held.Source, held.File = now.source, zoneFileReport(now.report)
	}
	return now, held, nil
}

// change returns the number of rules before and after a change, and the number of added rules, for the guards.
func (s *zoneState) change(now dnsfilter.ZoneReport, added uint64) blocklist.LocalChange {
	return blocklist.LocalChange{Before: uint64(s.report.Rules), After: uint64(now.Rules), Added: added}
}

// restore replaces the rules of zone by those in the copy of the file f that was in force before the start. It returns
// the state of the copy, or the zero value if there is no readable copy. If f is the same as the copy, the state has
// the source of f.
func (z *zoneLists) restore(f config.LocalFile, zone *dnsfilter.PolicyZone) zoneState {
	kept := config.LocalFile{Path: zoneCopy(z.dir, f.List)}
	now, _, err := guards{}.readZone(kept, zone, zone, zoneState{})
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			z.log.Warn("the copy of a policy zone can't be read", slog.String("list", f.List), slog.Any("error", err))
		}
		return zoneState{}
	}
	if source, err := f.Source(); err == nil && sameZone(kept.Path, f.Path) {
		now.source = source
	}
	return now
}

// keepCopy copies a file in force, and its journal, to the folder of the copies.
func (z *zoneLists) keepCopy(f config.LocalFile) error {
	if z.dir == "" {
		return nil
	}
	kept := zoneCopy(z.dir, f.List)
	_ = os.Remove(rpz.JournalOf(kept)) // it is of the copy before; if it stays, it is of no file
	err := errors.Join(os.MkdirAll(z.dir, 0o700), copyFile(kept, f.Path))
	if err != nil {
		return fmt.Errorf("keeping a copy of list %s: %w", f.List, err)
	}
	return z.keepJournal(f)
}

// copyFile replaces the file at the path target by a copy of the file at the path source, with the same modification
// time.
func copyFile(target, source string) error {
	in, err := files.Open(source)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	temp := target + ".new"
	out, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close(), os.Chtimes(temp, info.ModTime(), info.ModTime())); err != nil {
		return err
	}
	return os.Rename(temp, target)
}

// accept puts the file that was put on hold under this ID in force. It fails if the file has changed since the hold.
func (z *zoneLists) accept(l *config.List, by guards, id string) error {
	return acceptHold(z.log, z.held, l.LocalFile(), id, func() error { return z.load(l, by, id) })
}

func (z *zoneLists) logLoaded(f config.LocalFile, r dnsfilter.ZoneReport, took time.Duration) {
	which := []any{slog.String("list", f.List), slog.String("file", f.Path)}
	z.log.Info("policy zone loaded", append(which, slog.Uint64("serial", uint64(r.Serial)), slog.Int("rules", r.Rules),
		slog.Duration("took", took))...)
	logSkipped(z.log, which, zoneFileReport(r).Skipped)
}

// loadAll loads all policy zones of the settings whose files are not in force.
func (z *zoneLists) loadAll(s *config.Settings, by guards) error {
	for _, l := range s.ZoneLists() {
		if err := z.loadSettled(l, by); err != nil && !l.Fetch.IsSet() {
			return err
		}
	}
	return nil
}

// share gives the next settings the policy zones that are in force, for lists whose name, zone and file stay the same.
func (z *zoneLists) share(before, next *config.Settings) {
	for _, l := range next.ZoneLists() {
		for _, old := range before.ZoneLists() {
			if old.Rule.List == l.Rule.List && old.RPZ == l.RPZ && old.File == l.File {
				l.Rule.Zone = old.Rule.Zone
			}
		}
	}
}

// keep removes the states and the copies of the policy zones that the settings do not have. It keeps those of the
// others.
func (z *zoneLists) keep(s *config.Settings) {
	names := map[string]bool{}
	for _, l := range s.ZoneLists() {
		kept := filepath.Base(zoneCopy(z.dir, l.Rule.List))
		names[kept], names[rpz.JournalOf(kept)] = true, true
	}
	copies, _ := os.ReadDir(z.dir) // there may be none
	for _, c := range copies {
		if !names[c.Name()] {
			_ = os.Remove(filepath.Join(z.dir, c.Name())) // it has no meaning any more
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	kept := make(map[*dnsfilter.PolicyZone]zoneState)
	for _, l := range s.ZoneLists() {
		kept[l.Rule.Zone] = z.states[l.Rule.Zone]
	}
	z.states = kept
}

// logBadZone logs that the file of a policy zone can't be loaded, and what is in force in its place.
func logBadZone(log *slog.Logger, list string, inForce bool, err error) {
	what := "a changed policy zone was not taken in; the last good one stays"
	if !inForce {
		what = "a policy zone can't be read, and is NOT ENFORCED"
	}
	log.Error(what, slog.String("list", list), slog.Any("error", err))
}

// reloadChangedZones loads the policy zones whose files have changed and settled.
func (s *Service) reloadChangedZones() {
	for _, l := range s.settings.ZoneLists() {
		f := l.LocalFile()
		if f.Awaited() {
			continue
		}
		source, err := f.Source()
		if err != nil {
			source = err.Error()
		}
		state, held := s.zoneLists.state(l.Rule.Zone), s.local.held.of(f.List)
		known := source == state.source && state.err == nil && held == nil || held != nil && source == held.Source
		if known || !s.watch.settled(f.List, source) {
			continue
		}
		if err := s.zoneLists.load(l, s.guards, ""); err != nil && !errors.Is(err, errChanging) {
			logBadZone(s.log, f.List, state.source != "", err)
		}
	}
}

// zoneFileReport converts the report on a policy zone to a report on its file.
func zoneFileReport(r dnsfilter.ZoneReport) FileReport {
	out := FileReport{Format: formats.RPZ, Lines: r.Lines, Triggers: make(map[string]int)}
	for t, n := range r.Triggers {
		out.Triggers[t.String()] = n
	}
	for _, s := range r.Skipped {
		out.Skipped = append(out.Skipped, SkippedLines{Reason: s.Reason, Count: s.Count, Lines: s.Lines})
	}
	return out
}
