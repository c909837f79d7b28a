package config

import (
	"errors"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// CheckFiles checks the files named in the settings. It returns an error of type [Errors] if some are missing or
// unreadable.
func (s *Settings) CheckFiles() error {
	var errs Errors
	for i := range s.Lists {
		l := &s.Lists[i]
		if err := l.checkFile(); err != nil {
			errs = append(errs, l.position.error(s.File, err.Error()))
		}
	}
	for _, path := range s.Allow {
		if err := (LocalFile{Path: path, Allow: true}).readable(); err != nil {
			errs = append(errs, s.fileAt[path].error(s.File, err.Error()))
		}
	}
	errs = append(errs, s.checkGuardFiles()...)
	if s.CookieSecrets != "" {
		if _, err := ReadCookieSecrets(s.CookieSecrets); err != nil {
			errs = append(errs, s.fileAt[s.CookieSecrets].error(s.File, err.Error()))
		}
	}
	errs = append(errs, s.checkCertificate()...)
	if _, err := s.ReadRecords(); err != nil {
		wrong, ok := errors.AsType[Errors](err)
		if !ok {
			wrong = Errors{s.fileAt[s.Records].error(s.File, err.Error())}
		}
		errs = append(errs, wrong...)
	}
	if _, err := s.StopPage.Load(); err != nil {
		errs = append(errs, s.fileAt[s.StopPage.Templates].error(s.File, err.Error()))
	}
	errs = append(errs, s.checkKeys()...)
	if err := s.checkState(); err != nil {
		errs = append(errs, s.fileAt[s.State].error(s.File, err.Error()))
	}
	return errs.err()
}

// checkGuardFiles returns an error for each file of protected or popular names that can't be read or parsed.
func (s *Settings) checkGuardFiles() (errs Errors) {
	for _, path := range s.Guard.Protected {
		if _, err := (GuardLimits{Protected: []string{path}}).Load(); err != nil {
			errs = append(errs, s.fileAt[path].error(s.File, err.Error()))
		}
	}
	for _, path := range s.Guard.Popular {
		if _, err := (GuardLimits{Popular: []string{path}}).Load(); err != nil {
			errs = append(errs, s.fileAt[path].error(s.File, err.Error()))
		}
	}
	return errs
}

func (l *List) checkFile() error {
	if l.File == "" {
		return l.checkRoot()
	}
	if _, err := l.Fetch.Key(); err != nil {
		return err
	}
	f := l.LocalFile()
	if l.RPZ != "" && !f.Awaited() {
		_, err := f.Source()
		return err
	}
	return f.readable()
}

// readable returns an error if the file can't be opened or its beginning is not a list in the configured format. It
// returns nil for a fetched file that is not there yet.
func (l LocalFile) readable() error {
	if l.Awaited() {
		return nil
	}
	if _, err := l.Source(); err != nil {
		return err
	}
	f, err := files.Open(l.Path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	_, err = formats.NewReader(f, l.Options())
	return err
}

// FileError returns an error about a list file, with the position of the file in the settings.
func (s *Settings) FileError(f LocalFile, err error) Error {
	return s.positionOfFile(f).error(s.File, err.Error())
}

// positionOfFile returns the position of a file in the settings.
func (s *Settings) positionOfFile(f LocalFile) position {
	if l := s.list(f.List); l != nil {
		return l.position
	}
	return s.fileAt[f.Path]
}
