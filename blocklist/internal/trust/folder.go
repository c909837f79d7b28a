package trust

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// TargetsDir is the subfolder of a list's folder with the release files.
const TargetsDir = "targets"

// ReleaseFile matches the names of files in [TargetsDir].
var ReleaseFile = regexp.MustCompile(`^[0-9a-f]{64}\.[a-z0-9][a-z0-9.-]*$`)

// Folder is the path of a list's folder on an origin or mirror.
type Folder string

// Path returns the path of a file on disk. The name of the file is its path below the list's URL.
func (d Folder) Path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

// Versions returns the sorted versions of the documents of a role, such as "targets".
func (d Folder) Versions(role string) (all []int64) {
	suffix := "." + role + ".json"
	files, _ := filepath.Glob(d.Path("*" + suffix))
	for _, f := range files {
		if v, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), suffix), 10, 64); err == nil && v > 0 {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// Has reports whether a release file exists with its signed length. Its content was verified when the file was written.
func (d Folder) Has(f File) bool {
	info, err := os.Stat(d.Path(f.URLPath()))
	return err == nil && info.Size() == f.Length
}

// RemoveUnnamed removes the release files that no targets document in the folder names. It returns their number.
func (d Folder) RemoveUnnamed() (removed int, err error) {
	needed := map[string]bool{}
	for _, v := range d.Versions("targets") {
		b, readErr := os.ReadFile(d.Path(TargetsName(v)))
		spec, parseErr := ParseTargets(b)
		if err := errors.Join(readErr, parseErr); err != nil {
			return 0, err
		}
		for _, f := range spec.All() {
			needed[filepath.Base(f.URLPath())] = true
		}
	}
	files, _ := filepath.Glob(d.Path(TargetsDir + "/*.*"))
	for _, f := range files {
		if name := filepath.Base(f); ReleaseFile.MatchString(name) && !needed[name] {
			removeErr := os.Remove(f)
			if err = errors.Join(err, removeErr); removeErr == nil {
				removed++
			}
		}
	}
	return removed, err
}
