package dnsfilter

import (
	"os"

	"github.com/argine-dns/argine/blocklist/formats"
)

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
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	_, err = formats.NewReader(f, l.options())
	return err
}
