package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// maxIncluded is the maximum number of included files.
const maxIncluded = 100

// addUp returns the keys that may be in several files. Such a key has the items of all files, in their order.
func addUp() []string {
	return []string{"lists", "allow", "quorum", "views", "forward", "canaries", "rpz"}
}

// readInclude parses the key include, a sequence of patterns of files.
func (s *Settings) readInclude(r *reader) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			var pattern string
			scalar(r, &pattern, s.pattern)(item)
			if pattern != "" {
				s.includes = append(s.includes, include{pattern, r.position(item)})
			}
		})
	}
}

// pattern checks the syntax of a file pattern and returns its absolute form.
func (s *Settings) pattern(text string) (string, error) {
	if _, err := filepath.Match(text, ""); err != nil {
		return "", fmt.Errorf("pattern %.100q: write a path in which * and ? stand for parts of a name, like conf.d/*.yaml", text)
	}
	return s.path(text)
}

// matches returns the paths that match the pattern, sorted by name.
func (i include) matches() []string {
	paths, err := filepath.Glob(i.pattern) // sorted
	if err != nil {
		return nil
	}
	return paths
}

// readIncluded reads the included files. It returns a reader for each file; the errors of the file are in its reader.
func (s *Settings) readIncluded(r *reader) (readers []*reader) {
	for _, i := range s.includes {
		paths := i.matches()
		if len(paths) == 0 && !strings.ContainsAny(i.pattern, "*?[") {
			r.fail(i.at, "there is no file %s", i.pattern)
		}
		for _, path := range paths {
			switch {
			case slices.Contains(s.Included, path):
			case len(s.Included) == maxIncluded:
				r.fail(i.at, "more than %d files are included", maxIncluded)
				return readers
			case isFile(path, s.File):
				r.fail(i.at, "the settings file includes itself: name files in a folder of their own, like conf.d/*.yaml")
			default:
				s.Included = append(s.Included, path)
				readers = append(readers, s.readOne(r, path, i.at))
			}
		}
	}
	return readers
}

// readOne reads the included file at a path, and returns a reader with the errors of that file. If the file can't be
// read at all, it adds the error to the reader parent, with the position of the include.
func (s *Settings) readOne(parent *reader, path string, at position) *reader {
	r := &reader{file: path}
	text, err := files.ReadSmall(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // it was removed in the meantime
			parent.fail(at, "%v", err)
		}
		return r
	}
	known := s.fields(r).keeping(s.values).recording(s.given)
	for key, read := range known {
		if !slices.Contains(addUp(), key) {
			known[key] = func(n *yaml.Node) {
				if s.given[key] {
					r.fail(positionOf(n), "key %q is in another file already; in several files may be: %s", key, strings.Join(addUp(), ", "))
					return
				}
				read(n)
			}
		}
	}
	known["include"] = func(n *yaml.Node) {
		r.fail(positionOf(n), "an included file includes no others: name all of them in the settings file")
	}
	r.settings(text, known)
	return r
}

func isFile(path, other string) bool {
	a, errA := os.Stat(path)
	b, errB := os.Stat(other)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// WatchedFiles returns the files of [Settings.OwnFiles], and files that match a pattern of include and were created
// after the settings were read.
func (s *Settings) WatchedFiles() []string {
	watched := s.OwnFiles()
	for _, i := range s.includes {
		for _, path := range i.matches() {
			if !slices.Contains(watched, path) && !isFile(path, s.File) {
				watched = append(watched, path)
			}
		}
	}
	return watched
}

// allErrors returns the errors of all readers, in the order of the files and lines.
func allErrors(readers []*reader) Errors {
	var all Errors
	order := make(map[string]int)
	for i, r := range readers {
		order[r.file] = i
		all = append(all, r.errs...)
	}
	slices.SortStableFunc(all, func(a, b Error) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return all
}
