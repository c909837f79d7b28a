package service

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// allowPrefix begins the names under which the store keeps allow lists.
const allowPrefix = "allow/"

// errChanging is returned for a file that is written to while it is read; it is read again when it has come to rest.
var errChanging = errors.New("the file changed while it was read")

// localFile is a list that the operator keeps in a file.
type localFile struct {
	list   string // its name in the store
	path   string
	format formats.Format
	scope  blocklist.Scope
	zone   string
	stop   []string
	allow  bool // it lifts blocks

	unguarded bool // what the guards find does not count
	diverts   bool // the hosts of url entries are led to a proxy
}

// localFiles returns the files of the settings, allow lists included.
func (s *Settings) localFiles() []localFile {
	var out []localFile
	for _, path := range s.Allow {
		out = append(out, localFile{list: allowName(path), path: path, allow: true})
	}
	for _, l := range s.Lists {
		if l.File != "" {
			out = append(out, l.localFile())
		}
	}
	return out
}

// localFile returns the file of a list that has one.
func (l *List) localFile() localFile {
	return localFile{list: l.Rule.List, path: l.File, format: l.Format, scope: l.Scope, zone: l.Zone, stop: l.StopPage, unguarded: l.Unguarded, diverts: len(l.Divert) > 0}
}

// options say how the file is read.
func (l localFile) options() formats.Options {
	return formats.Options{
		Format: l.format, Scope: l.scope, Origin: l.zone, StopPage: l.stop, Allow: l.allow, Name: l.path, MayBeEmpty: true,
	}
}

// allowName makes the name of an allow list from its path: the part that a person recognises, and a hash.
func allowName(path string) string {
	sum := sha256.Sum256([]byte(path))
	return allowPrefix + listWord(path) + "-" + hex.EncodeToString(sum[:4])
}

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

// source tells one state of the file from another, and one way of reading it from another.
func (l localFile) source() (string, error) {
	info, err := statFile(l.path)
	if err != nil {
		return "", err
	}
	modified := info.ModTime().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf("%s size=%d modified=%s format=%s scope=%s zone=%s stop=%s", l.path, info.Size(), modified, l.format, l.scope, l.zone, l.stop), nil
}

// held reports whether the store holds the list, and whether from the file as it is now.
func (l localFile) held(store *blocklist.Store) (held, current bool) {
	info, ok := store.List(l.list)
	source, err := l.source()
	held = ok && info.Err == nil
	return held, held && err == nil && info.Source == source
}

// atRest passes entries on, and ends with an error if the file is not the one any more that source describes.
func (l localFile) atRest(source string, entries iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if !yield(e, err) {
				return
			}
		}
		if now, err := l.source(); err != nil || now != source {
			yield(blocklist.Entry{}, errChanging)
		}
	}
}
