package service

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// zoneLists keeps the policy zones among the lists up to date with their files. The rules of a zone are in memory, so a
// start reads all files.
type zoneLists struct {
	log *slog.Logger

	mu     sync.Mutex
	states map[*dnsfilter.PolicyZone]zoneState
}

// zoneState is the state of a policy zone.
type zoneState struct {
	source string // of the file in force; empty: there is none
	report dnsfilter.ZoneReport
	err    error // why the file as it is now is not in force
}

// smallZone is the number of rules below which a zone may lose most of them at once.
const smallZone = 100

// collapses reports whether a zone loses so many of its rules that it is not taken in by itself.
func collapses(before, after int) bool {
	return after == 0 && before > 0 || before >= smallZone && 2*after < before
}

// state returns the state of a policy zone.
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

// load reads the file of a policy zone, unless it is in force already, or was not fetched yet. After an error, the
// rules before stay. A file that would take away most of the rules is an error unless someone has asked for it; one
// that was fetched was reviewed before it replaced the one before.
func (z *zoneLists) load(l *config.List, asked bool) error {
	zone, f := l.Rule.Zone, l.LocalFile()
	before := z.state(zone)
	if f.Awaited() {
		return nil
	}
	source, err := f.Source()
	if err == nil && source == before.source {
		before.err = nil
		z.set(zone, before)
		return nil
	}
	defer relaxGC()()
	begin := time.Now()
	next, now := dnsfilter.NewPolicyZone(l.RPZ), zoneState{source: source}
	if err == nil {
		now.report, err = readZone(f, next)
	}
	if lost := before.report.Rules; err == nil && !asked && !f.Fetched && collapses(lost, now.report.Rules) {
		err = fmt.Errorf("%w: it has %d rules, and the zone in force has %d; if that is meant, run dnsfilter reload", blocklist.ErrHeld, now.report.Rules, lost)
	}
	if err != nil {
		before.err = fmt.Errorf("loading list %s: %w", f.List, err)
		z.set(zone, before)
		return before.err
	}
	zone.Adopt(next)
	z.set(zone, now)
	z.logLoaded(f, now.report, time.Since(begin))
	return nil
}

// readZone reads the file of a policy zone.
func readZone(f config.LocalFile, zone *dnsfilter.PolicyZone) (r dnsfilter.ZoneReport, err error) {
	source, err := f.Source()
	if err != nil {
		return r, err
	}
	file, err := files.Open(f.Path)
	if err != nil {
		return r, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if r, err = zone.Read(file); err != nil {
		return r, err
	}
	if now, err := f.Source(); err != nil || now != source {
		return r, errChanging
	}
	return r, nil
}

func (z *zoneLists) logLoaded(f config.LocalFile, r dnsfilter.ZoneReport, took time.Duration) {
	which := []any{slog.String("list", f.List), slog.String("file", f.Path)}
	z.log.Info("policy zone loaded", append(which, slog.Uint64("serial", uint64(r.Serial)), slog.Int("rules", r.Rules),
		slog.Duration("took", took))...)
	logSkipped(z.log, which, zoneFileReport(r).Skipped)
}

// loadAll loads all policy zones of the settings whose files are not in force.
func (z *zoneLists) loadAll(s *config.Settings, asked bool) error {
	for _, l := range s.ZoneLists() {
		if err := z.load(l, asked); err != nil && !l.Fetch.IsSet() {
			return err
		}
	}
	return nil
}

// share makes next settings use the policy zones of the settings before, as far as they are the same.
func (z *zoneLists) share(before, next *config.Settings) {
	for _, l := range next.ZoneLists() {
		for _, old := range before.ZoneLists() {
			if old.Rule.List == l.Rule.List && old.RPZ == l.RPZ && old.File == l.File {
				l.Rule.Zone = old.Rule.Zone
			}
		}
	}
}

// keep forgets the states of the policy zones that the settings do not have.
func (z *zoneLists) keep(s *config.Settings) {
	z.mu.Lock()
	defer z.mu.Unlock()
	kept := make(map[*dnsfilter.PolicyZone]zoneState)
	for _, l := range s.ZoneLists() {
		kept[l.Rule.Zone] = z.states[l.Rule.Zone]
	}
	z.states = kept
}

// reloadChangedZones loads the policy zones whose files have changed.
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
		state := s.zoneLists.state(l.Rule.Zone)
		if source == state.source && state.err == nil || !s.watch.settled(f.List, source) {
			continue
		}
		if err := s.zoneLists.load(l, false); err != nil {
			s.log.Error("a changed policy zone was not taken in; the last good one stays", slog.String("list", f.List), slog.Any("error", err))
		}
	}
}

// zoneFileReport returns the report on the file of a policy zone.
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
