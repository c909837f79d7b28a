package dnsfilter

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/internal/processors"
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
}

// localFiles returns the files of the settings, allow lists included.
func (s *Settings) localFiles() []localFile {
	var out []localFile
	for _, path := range s.Allow {
		out = append(out, localFile{list: allowName(path), path: path})
	}
	for _, l := range s.Lists {
		if l.File != "" {
			out = append(out, localFile{list: l.Rule.List, path: l.File, format: l.Format, scope: l.Scope})
		}
	}
	return out
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
	info, err := os.Stat(l.path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", l.path)
	}
	modified := info.ModTime().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf("%s size=%d modified=%s format=%s scope=%s", l.path, info.Size(), modified, l.format, l.scope), nil
}

// held tells whether the store holds the list, and whether from the file as it is now.
func (l localFile) held(store *blocklist.Store) (held, current bool) {
	info, ok := store.List(l.list)
	source, err := l.source()
	held = ok && info.Err == nil
	return held, held && err == nil && info.Source == source
}

// load compiles the file into the store. On an error the store keeps what it held.
func (l localFile) load(store *blocklist.Store, log *slog.Logger) error {
	defer makeRoom()()
	err := l.compile(store, log)
	if err != nil {
		return fmt.Errorf("loading list %s: %w", l.list, err)
	}
	return nil
}

// makeRoom keeps what takes long, with two goroutines, from holding up queries until done is called; the garbage collector runs
// rarely.
func makeRoom() (done func()) {
	processors.Add(2)
	percent := debug.SetGCPercent(rareGC)
	return func() {
		debug.SetGCPercent(percent)
		processors.Add(-2)
	}
}

// rareGC lets the heap, of a few megabytes while queries are answered, grow to five times its size before it is collected.
const rareGC = 400

func (l localFile) compile(store *blocklist.Store, log *slog.Logger) error {
	begin := time.Now()
	source, err := l.source()
	if err != nil {
		return err
	}
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	r, err := formats.NewReader(f, formats.Options{Format: l.format, Scope: l.scope, Name: l.path, MayBeEmpty: true})
	if err != nil {
		return err
	}
	if err := store.SetLocal(l.list, source, l.atRest(source, r.Entries())); err != nil {
		return err
	}
	report := r.Report()
	log.Info("list loaded", slog.String("list", l.list), slog.Any("format", r.Format()),
		slog.Int("entries", report.Entries), slog.Duration("took", time.Since(begin)))
	for _, s := range report.Skipped {
		log.Warn("lines passed over", slog.String("list", l.list), slog.String("reason", s.Reason),
			slog.Int("count", s.Count), slog.Any("first", s.Lines))
	}
	return nil
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
		if err := (localFile{path: path}).readable(); err != nil {
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
	return localFile{path: l.File, format: l.Format, scope: l.Scope}.readable()
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
	_, err = formats.NewReader(f, formats.Options{Format: l.format, Scope: l.scope, Name: l.path, MayBeEmpty: true})
	return err
}
