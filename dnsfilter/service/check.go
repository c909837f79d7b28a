package service

import (
	"errors"
	"io/fs"
	"log/slog"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
)

// FileCheck says what a server makes of the file of a list, or of what it holds of a signed one.
type FileCheck struct {
	List, File string
	Entries    uint64
	FileReport
	URLs uint64 // url entries that are not enforced, since the list has no divert
	// what the guards hold, were this the first state of the list; nil: nothing, or it is in force already
	Held *guard.Report
}

// ReadFiles reads the files of all local and allow lists to the end, and counts the url entries of the signed lists
// that the state folder holds. Its errors are of type [config.Errors], but for those of what the guards read.
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

// check loads a file that held may have already.
func (l loader) check(f config.LocalFile, held *blocklist.Store) (FileCheck, error) {
	_, current := heldFile(f, held)
	f.Unguarded = f.Unguarded || current
	c := FileCheck{List: f.List, File: f.Path}
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
