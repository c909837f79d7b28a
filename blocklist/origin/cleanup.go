package origin

import (
	"errors"
	"os"
	"slices"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// removeOld removes all documents except the newest [keepReleases] of each role, and the release files that no
// remaining document names. It also removes documents of urgent orders with a version above that of now, the published
// orders: for example orders of an officer whose key was withdrawn.
func (st *state) removeOld(now orders) error {
	err := removeAllBut(keepReleases, st.dir.Versions("snapshot"),
		func(v int64) string { return st.dir.Path(trust.SnapshotName(v)) })
	err = errors.Join(err, removeAllBut(keepReleases, st.dir.Versions("targets"),
		func(v int64) string { return st.dir.Path(trust.TargetsName(v)) }))
	urgent := st.dir.Versions("urgent")
	until, found := slices.BinarySearch(urgent, now.version)
	if found {
		until++
	}
	urgentPath := func(v int64) string { return st.dir.Path(trust.UrgentName(v)) }
	err = errors.Join(err, removeAllBut(keepReleases, urgent[:until], urgentPath),
		removeAllBut(0, urgent[until:], urgentPath))
	if err != nil {
		return err
	}
	_, err = st.dir.RemoveUnnamed()
	return err
}

func removeAllBut(keep int, versions []int64, path func(int64) string) (err error) {
	for _, v := range versions[:max(len(versions)-keep, 0)] {
		err = errors.Join(err, os.Remove(path(v)))
	}
	return err
}

// removeUncommitted removes the roots of an interrupted push: their versions are above that of the published root.
func (st *state) removeUncommitted() (err error) {
	for _, v := range st.dir.Versions("root") {
		if st.timestamp.Root > 0 && v > st.timestamp.Root {
			err = errors.Join(err, os.Remove(st.dir.Path(trust.RootName(v))))
		}
	}
	return err
}
