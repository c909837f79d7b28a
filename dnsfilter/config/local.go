package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// allowPrefix begins the names under which the store keeps allow lists.
const allowPrefix = "allow/"

// LocalFile is a list that the operator keeps in a file.
type LocalFile struct {
	List     string // its name in the store
	Path     string
	Format   formats.Format
	Scope    blocklist.Scope
	Zone     string
	StopPage []string
	Allow    bool // it lifts blocks

	Unguarded bool // what the guards find does not count
	Diverts   bool // the hosts of url entries are led to a proxy
}

// LocalFiles returns the files of the settings, allow lists included.
func (s *Settings) LocalFiles() []LocalFile {
	var out []LocalFile
	for _, path := range s.Allow {
		out = append(out, LocalFile{List: AllowName(path), Path: path, Allow: true})
	}
	for _, l := range s.Lists {
		if l.File != "" {
			out = append(out, l.LocalFile())
		}
	}
	return out
}

// LocalFile returns the file of a list that has one.
func (l *List) LocalFile() LocalFile {
	return LocalFile{List: l.Rule.List, Path: l.File, Format: l.Format, Scope: l.Scope, Zone: l.Zone, StopPage: l.StopPage,
		Unguarded: l.Unguarded, Diverts: len(l.Divert) > 0}
}

// Options say how the file is read.
func (l LocalFile) Options() formats.Options {
	return formats.Options{
		Format: l.Format, Scope: l.Scope, Origin: l.Zone, StopPage: l.StopPage, Allow: l.Allow, Name: l.Path,
		MayBeEmpty: true,
	}
}

// AllowName makes the name of an allow list from its path: the part that a person recognises, and a hash.
func AllowName(path string) string {
	sum := sha256.Sum256([]byte(path))
	return allowPrefix + listWord(path) + "-" + hex.EncodeToString(sum[:4])
}

// IsAllowList reports whether the store keeps an allow list under a name.
func IsAllowList(list string) bool { return strings.HasPrefix(list, allowPrefix) }

// listWord makes a part of a list name from the name of a file.
func listWord(path string) string {
	base := strings.ToLower(filepath.Base(path))
	base = strings.TrimSuffix(base, filepath.Ext(base))
	word := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, base)
	if word = strings.Trim(word[:min(len(word), 40)], "-"); word == "" {
		return "file"
	}
	return word
}

// Source tells one state of the file from another, and one way of reading it from another.
func (l LocalFile) Source() (string, error) {
	info, err := files.Stat(l.Path)
	if err != nil {
		return "", err
	}
	modified := info.ModTime().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf("%s size=%d modified=%s format=%s scope=%s zone=%s stop=%s", l.Path, info.Size(), modified,
		l.Format, l.Scope, l.Zone, l.StopPage), nil
}

// AllowFile returns the path of the file that an allow list is made from; empty for other lists.
func (s *Settings) AllowFile(list string) string {
	for _, path := range s.Allow {
		if AllowName(path) == list {
			return path
		}
	}
	return ""
}
