package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// LocalFile describes the file of an unsigned list. It has the settings of the list that matter for reading the file.
type LocalFile struct {
	List     string // list name in the store
	Path     string
	Format   formats.Format
	Scope    blocklist.Scope
	Zone     string
	StopPage []string
	Allow    bool // the list is an allow list
	Fetched  bool // the service fetches the file from another server, so the file may not exist yet

	Unguarded bool // changes of the file are not checked by guards
	Diverts   bool // hosts with url entries are diverted to a proxy
}

// LocalFiles returns the files of all allow lists and unsigned lists of entries. Files of policy zones are not
// included: see [Settings.ZoneLists].
func (s *Settings) LocalFiles() []LocalFile {
	var out []LocalFile
	for _, path := range s.Allow {
		out = append(out, LocalFile{List: AllowName(path), Path: path, Allow: true})
	}
	for _, l := range s.Lists {
		if l.File != "" && l.RPZ == "" {
			out = append(out, l.LocalFile())
		}
	}
	return out
}

// LocalFile returns the file of a list. The list must have one.
func (l *List) LocalFile() LocalFile {
	f := LocalFile{
		List: l.Rule.List, Path: l.File, Format: l.Format, Scope: l.Scope, Zone: l.Zone, StopPage: l.StopPage,
		Unguarded: l.Unguarded, Diverts: len(l.Divert) > 0, Fetched: l.Fetch.IsSet(),
	}
	if l.RPZ != "" {
		f.Format, f.Zone = formats.RPZ, l.RPZ.String()
	}
	return f
}

// Options returns the options of package formats for parsing the file.
func (l LocalFile) Options() formats.Options {
	return formats.Options{
		Format: l.Format, Scope: l.Scope, Origin: l.Zone, StopPage: l.StopPage, Allow: l.Allow, Name: l.Path,
		MayBeEmpty: true,
	}
}

// AllowName returns the name that the allow list at a path has in the store: a readable part of the path, and a hash of
// it.
func AllowName(path string) string {
	sum := sha256.Sum256([]byte(path))
	return allowPrefix + listWord(path) + "-" + hex.EncodeToString(sum[:4])
}

// IsAllowList reports whether a list name in the store is the name of an allow list.
func IsAllowList(list string) bool { return strings.HasPrefix(list, allowPrefix) }

// listWord returns the base name of a path as a valid part of a list name: lower-case letters, digits and hyphens, at
// most 40.
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

// Source returns a text that identifies the state of the file (its size and modification time) and its parser options.
// The text changes when one of these changes. For a fetched file, the state of its journal file is part of the text,
// too: see [rpz.JournalOf].
func (l LocalFile) Source() (string, error) {
	info, err := files.Stat(l.Path)
	if err != nil {
		return "", err
	}
	source := fmt.Sprintf("%s %s format=%s scope=%s zone=%s stop=%s", l.Path, stateOf(info), l.Format, l.Scope, l.Zone,
		l.StopPage)
	if journal, err := os.Stat(rpz.JournalOf(l.Path)); err == nil && l.Fetched {
		source += " journal " + stateOf(journal)
	}
	return source, nil
}

func stateOf(info fs.FileInfo) string {
	return fmt.Sprintf("size=%d modified=%s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// AllowFile returns the path of the file of an allow list, by its name in the store. It returns an empty string for
// other lists.
func (s *Settings) AllowFile(list string) string {
	for _, path := range s.Allow {
		if AllowName(path) == list {
			return path
		}
	}
	return ""
}
