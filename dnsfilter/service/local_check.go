package service

import (
	"errors"
	"io/fs"
	"log/slog"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/guard"
)

// FileCheck says what a server makes of the file of a list, or of what it holds of a signed one.
type FileCheck struct {
	List, File string
	Entries    uint64
	FileReport
	URLs uint64        // url entries that are not enforced, since the list has no divert
	Held *guard.Report // what the guards hold, were this the first state of the list; nil: nothing, or it is in force already
}

// ReadFiles reads the files of all local and allow lists to the end, and counts the url entries of the signed lists that the
// state folder holds. Its errors are of type [Mistakes], but for those of what the guards read.
func (s *Settings) ReadFiles() (checks []FileCheck, err error) {
	by, err := guards{}.next(s)
	if err != nil {
		return nil, err
	}
	held, err := blocklist.Open(s.State, blocklist.Options{ReadOnly: true})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var mistakes Mistakes
	err = withTemporary(func(fresh *blocklist.Store) error {
		if held == nil {
			held = fresh
		}
		for _, f := range s.localFiles() {
			c, err := (loader{fresh, by, slog.New(slog.DiscardHandler)}).check(f, held)
			if err != nil {
				mistakes = append(mistakes, s.placeOfFile(f).mistake(s.File, err.Error()))
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
	return checks, errors.Join(err, mistakes.err())
}

// placeOfFile returns where the settings name a file.
func (s *Settings) placeOfFile(f localFile) place {
	if l := s.list(f.list); l != nil {
		return l.place
	}
	return s.fileAt[f.path]
}

// check loads a file that held may have already.
func (l loader) check(f localFile, held *blocklist.Store) (FileCheck, error) {
	_, current := f.held(held)
	f.unguarded = f.unguarded || current
	c := FileCheck{List: f.list, File: f.path}
	hold, err := l.load(f, "")
	switch {
	case err != nil:
		return c, err
	case hold != nil:
		c.Entries, c.FileReport, c.Held = hold.Entries, hold.File, hold.Report
		return c, nil
	}
	info, _ := l.store.List(f.list)
	c.Entries = info.Entries
	c.FileReport, _ = reportOf(l.store, f.list)
	if !f.diverts {
		c.URLs = l.store.CountURLs(f.list)
	}
	return c, nil
}

// CheckFiles tells which files that the settings name are missing or are no lists; its errors are of type [Mistakes].
func (s *Settings) CheckFiles() error {
	var mistakes Mistakes
	for i := range s.Lists {
		l := &s.Lists[i]
		if err := l.checkFile(); err != nil {
			mistakes = append(mistakes, l.place.mistake(s.File, err.Error()))
		}
	}
	for _, path := range s.Allow {
		if err := (localFile{path: path, allow: true}).readable(); err != nil {
			mistakes = append(mistakes, s.fileAt[path].mistake(s.File, err.Error()))
		}
	}
	for _, path := range s.Guard.Protected {
		if _, err := (Guard{Protected: []string{path}}).load(); err != nil {
			mistakes = append(mistakes, s.fileAt[path].mistake(s.File, err.Error()))
		}
	}
	for _, path := range s.Guard.Popular {
		if _, err := (Guard{Popular: []string{path}}).load(); err != nil {
			mistakes = append(mistakes, s.fileAt[path].mistake(s.File, err.Error()))
		}
	}
	if _, err := s.filePolicy(); err != nil {
		mistakes = append(mistakes, s.fileAt[s.CookieSecrets].mistake(s.File, err.Error()))
	}
	if err := s.checkState(); err != nil {
		mistakes = append(mistakes, s.fileAt[s.State].mistake(s.File, err.Error()))
	}
	return mistakes.err()
}

func (l *List) checkFile() error {
	if l.File == "" {
		return l.checkRoot()
	}
	return l.localFile().readable()
}

// readable looks at the beginning of the file.
func (l localFile) readable() error {
	if _, err := l.source(); err != nil {
		return err
	}
	f, err := openFile(l.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	_, err = formats.NewReader(f, l.options())
	return err
}
