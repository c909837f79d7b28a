package argine_test

import (
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"

	"github.com/argine-dns/argine/testdata/longtest"
)

// TestTopLevel fails on a folder that is none of the rooms in ARCHITECTURE.md.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var folders []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			folders = append(folders, e.Name())
		}
	}
	assert.Subset(t, []string{"blocklist", "cmd", "dnsfilter", "examples", "testdata"}, folders)
}

// maxCycle is how many files of a package may need each other.
const maxCycle = 12

// TestFileCycles finds the files of each package that use each other in a circle (the strongly connected components of
// their graph): to understand one of them is to read all. A circle that grew too large is cut by moving a declaration
// to the file where its users look for it.
func TestFileCycles(t *testing.T) {
	longtest.Only(t, "it type-checks the whole tree")
	loaded, err := packages.Load(&packages.Config{Context: t.Context(), Mode: packages.LoadSyntax}, "./...")
	require.NoError(t, err)
	require.Greater(t, len(loaded), 40)
	for _, p := range loaded {
		require.Empty(t, p.Errors, p.PkgPath)
		if cycle := largestCycle(fileUses(p)); len(cycle) > maxCycle {
			slices.Sort(cycle)
			assert.LessOrEqual(t, len(cycle), maxCycle, "%s: %s", p.PkgPath, cycle)
		}
	}
}

// uses has the files whose declarations a file uses.
type uses map[string]map[string]bool

// fileUses returns what the files of a package use of each other: package-level declarations, fields and methods.
func fileUses(p *packages.Package) uses {
	all := uses{}
	for id, object := range p.TypesInfo.Uses {
		if object.Pkg() != p.Types || object.Parent() != p.Types.Scope() && !isMember(object) {
			continue
		}
		from := filepath.Base(p.Fset.Position(id.Pos()).Filename)
		to := filepath.Base(p.Fset.Position(object.Pos()).Filename)
		if all[from] == nil {
			all[from] = map[string]bool{}
		}
		all[from][to] = true
	}
	return all
}

// isMember reports whether an object is a field or a method.
func isMember(object types.Object) bool {
	switch o := object.(type) {
	case *types.Var:
		return o.IsField()
	case *types.Func:
		return o.Signature().Recv() != nil
	}
	return false
}

// largestCycle returns the largest set of files that reach each other.
func largestCycle(all uses) (largest []string) {
	reached := map[string]map[string]bool{}
	for file := range all {
		reached[file] = map[string]bool{}
		all.reach(file, reached[file])
	}
	for file := range all {
		var cycle []string
		for other := range reached[file] {
			if reached[other][file] {
				cycle = append(cycle, other)
			}
		}
		if len(cycle) > len(largest) {
			largest = cycle
		}
	}
	return largest
}

// reach adds all files that a file uses, directly or not.
func (all uses) reach(file string, to map[string]bool) {
	for other := range all[file] {
		if !to[other] {
			to[other] = true
			all.reach(other, to)
		}
	}
}

func TestLargestCycle(t *testing.T) {
	t.Parallel()
	got := largestCycle(uses{"a": {"b": true}, "b": {"c": true, "a": true}, "c": {"c": true}, "d": {"a": true}})
	slices.Sort(got)
	assert.Equal(t, []string{"a", "b"}, got)
}
