package service

import (
	"errors"
	"io/fs"
	"log/slog"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
)

// FileCheck is the result of checking a local list's file, or of counting the url entries of a signed list in the
// store.
type FileCheck struct {
	List, File string
	Awaited    bool // the file was not fetched yet, so it is not checked
	Entries    uint64
	FileReport
	URLs uint64 // number of url entries that are not enforced, because the list does not have the setting divert
	// Held has what the guards find in the file, as if it were the first state of the list. Such findings put a file on
	// hold. Nil: there are none, or the file is in force already.
	Held *guard.Report
}

// ReadFiles reads the files of all local lists and allow lists completely, and counts the url entries of the signed
// lists in the state folder. Its errors have the type [config.Errors], except errors in the files of the guards and in
// opening the store.
func ReadFiles(s *config.Settings) (checks []FileCheck, err error) {
	by, err := guards{}.next(s)
	if err != nil {
		return nil, err
	}
	held, err := blocklist.Open(s.State, blocklist.Options{ReadOnly: true})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var wrong config.Errors
	err = tempstore.With(func(fresh *blocklist.Store) error {
		if held == nil {
			held = fresh
		}
		for _, f := range s.LocalFiles() {
			c, err := (loader{fresh, by, slog.New(slog.DiscardHandler)}).check(f, held)
			if err != nil {
				wrong = append(wrong, s.FileError(f, err))
				continue
			}
			checks = append(checks, c)
		}
		return nil
	})
	for _, l := range s.ZoneLists() {
		c, err := by.checkZone(l, zoneCopies(s.State))
		if err != nil {
			wrong = append(wrong, s.FileError(l.LocalFile(), err))
			continue
		}
		checks = append(checks, c)
	}
	for _, l := range s.Lists {
		if n := held.CountURLs(l.Rule.List); l.File == "" && len(l.Divert) == 0 && n > 0 {
			checks = append(checks, FileCheck{List: l.Rule.List, URLs: n})
		}
	}
	if len(wrong) > 0 {
		err = errors.Join(err, wrong)
	}
	return checks, err
}

// checkZone reads the file of a policy zone. The argument copies is the folder of the copies of the zones in force. If
// the file is the same as its copy, the guards do not check it.
func (g guards) checkZone(l *config.List, copies string) (FileCheck, error) {
	f := l.LocalFile()
	c := FileCheck{List: f.List, File: f.Path, Awaited: f.Awaited()}
	if c.Awaited {
		return c, nil
	}
	f.Unguarded = f.Unguarded || sameZone(zoneCopy(copies, f.List), f.Path)
	now, held, err := g.readZone(f, dnsfilter.NewPolicyZone(l.RPZ), dnsfilter.NewPolicyZone(l.RPZ), zoneState{})
	c.Entries, c.FileReport = uint64(now.report.Rules), zoneFileReport(now.report)
	if held != nil {
		c.Held = held.Report
	}
	return c, err
}

// check loads a file into the store of the loader. If the service's store (held) already has the current content of the
// file, the guards do not check the file.
func (l loader) check(f config.LocalFile, held *blocklist.Store) (FileCheck, error) {
	_, current := heldFile(f, held)
	f.Unguarded = f.Unguarded || current
	c := FileCheck{List: f.List, File: f.Path, Awaited: f.Awaited()}
	if c.Awaited {
		return c, nil
	}
	hold, err := l.load(f, "")
	switch {
	case err != nil:
		return c, err
	case hold != nil:
		c.Entries, c.FileReport, c.Held = hold.Entries, hold.File, hold.Report
		return c, nil
	}
	info, _ := l.store.List(f.List)
	c.Entries = info.Entries
	c.FileReport, _ = reportOf(l.store, f.List)
	if !f.Diverts {
		c.URLs = l.store.CountURLs(f.List)
	}
	return c, nil
}
