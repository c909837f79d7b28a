package origin

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// removeOld removes all but the newest [keepReleases] releases with their documents and files. It also removes urgent
// orders with a version above the published one, for example those of an officer whose key was withdrawn.
func (st *state) removeOld(now orders) error {
	err := removeAllBut(keepReleases, st.versions(".snapshot.json"),
		func(v int64) string { return st.path(trust.SnapshotName(v)) })
	err = errors.Join(err, removeAllBut(keepReleases, st.versions(".targets.json"),
		func(v int64) string { return st.path(trust.TargetsName(v)) }))
	urgent := st.versions(".urgent.json")
	until, found := slices.BinarySearch(urgent, now.version)
	if found {
		until++
	}
	urgentPath := func(v int64) string { return st.path(trust.UrgentName(v)) }
	err = errors.Join(err, removeAllBut(keepReleases, urgent[:until], urgentPath),
		removeAllBut(0, urgent[until:], urgentPath))
	needed := map[string]bool{}
	for _, v := range st.versions(".targets.json") {
		b, readErr := os.ReadFile(st.path(trust.TargetsName(v)))
		spec, parseErr := trust.ParseTargets(b)
		if err = errors.Join(err, readErr, parseErr); err != nil {
			return err
		}
		for _, f := range spec.All() {
			needed[filepath.Base(st.path(f.URLPath()))] = true
		}
	}
	files, _ := filepath.Glob(st.path(targetsDir + "/*.*"))
	for _, f := range files {
		if releaseFile.MatchString(filepath.Base(f)) && !needed[filepath.Base(f)] {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

func removeAllBut(keep int, versions []int64, path func(int64) string) (err error) {
	for _, v := range versions[:max(len(versions)-keep, 0)] {
		err = errors.Join(err, os.Remove(path(v)))
	}
	return err
}

// removeUncommitted removes the roots that an interrupted push wrote.
func (st *state) removeUncommitted() (err error) {
	for _, v := range st.versions(".root.json") {
		if st.timestamp.Root > 0 && v > st.timestamp.Root {
			err = errors.Join(err, os.Remove(st.path(trust.RootName(v))))
		}
	}
	return err
}
