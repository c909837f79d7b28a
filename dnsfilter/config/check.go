package config

import (
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// CheckFiles tells which files that the settings name are missing or are no lists; its errors are of type [Errors].
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
	if s.CookieSecrets != "" {
		if _, err := ReadCookieSecrets(s.CookieSecrets); err != nil {
			errs = append(errs, s.fileAt[s.CookieSecrets].error(s.File, err.Error()))
		}
	}
	if err := s.checkState(); err != nil {
		errs = append(errs, s.fileAt[s.State].error(s.File, err.Error()))
	}
	return errs.err()
}

func (l *List) checkFile() error {
	if l.File == "" {
		return l.checkRoot()
	}
	return l.LocalFile().readable()
}

// readable looks at the beginning of the file.
func (l LocalFile) readable() error {
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

// FileError says what is wrong with the file of a list, at the place where the settings name it.
func (s *Settings) FileError(f LocalFile, err error) Error {
	return s.positionOfFile(f).error(s.File, err.Error())
}

// positionOfFile returns where the settings name a file.
func (s *Settings) positionOfFile(f LocalFile) position {
	if l := s.list(f.List); l != nil {
		return l.position
	}
	return s.fileAt[f.Path]
}
