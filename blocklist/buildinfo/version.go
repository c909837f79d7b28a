// Package buildinfo has the version of the running program, and the versions of the formats that it reads and writes.
package buildinfo

import (
	"runtime/debug"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
)

const module = "github.com/argine-dns/argine"

// Build describes what a program was built from. A field is empty if the compiler did not record its value.
type Build struct {
	Version string // version of the module Argine; (devel) if unknown
	Commit  string // full commit hash; ends in +changed if the build had uncommitted changes
	Date    string // date of the commit (RFC 3339)
	Go      string // version of the compiler
}

// Current returns the build of the running program.
func Current() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "(devel)"}
	}
	return of(info)
}

// of returns the build that the argument describes. The argument comes from the compiler. If another program imports
// Argine, the recorded commit is that of the other program, so it is omitted.
func of(info *debug.BuildInfo) Build {
	b := Build{Version: "(devel)", Go: info.GoVersion}
	if info.Main.Path != module {
		for _, d := range info.Deps {
			if d.Path == module {
				b.Version = d.Version
			}
		}
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	changed := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Date = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changed"
		}
	}
	b.Commit += changed
	return b
}

// String returns the fields that are known, in one line.
func (b Build) String() string {
	words := []string{b.Version}
	for _, part := range []struct{ word, value string }{{"commit", b.Commit}, {"of", b.Date}, {"built with", b.Go}} {
		if part.value != "" {
			words = append(words, part.word, part.value)
		}
	}
	return strings.Join(words, " ")
}

// Text returns what --version prints after the name of the program: the build, and the formats that it reads and
// writes.
func Text() string {
	formats := []string{blocklist.ReleaseFormat, receipt.Format}
	return Current().String() + "\nformats: " + strings.ReplaceAll(strings.Join(formats, ", "), ":", "")
}
