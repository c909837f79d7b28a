package trusttest

import (
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Mirror is a folder with a list's files. A test can give each file any content, also a wrong one.
type Mirror struct {
	Dir     string
	Agency  *Agency
	Online  Person
	Version int64     // version of the next timestamp and snapshot
	Expires time.Time // expiry of the next timestamp and snapshot
	urgent  []byte    // urgent orders that were published last
	version int64     // version of the field urgent
}

// NewMirror makes a mirror whose timestamps and snapshots are signed by the given person.
func (a *Agency) NewMirror(signer Person) *Mirror {
	a.T.Helper()
	return &Mirror{Dir: a.T.TempDir(), Agency: a, Online: signer, Version: 1, Expires: time.Now().Add(time.Hour)}
}

// Path returns the path of a file of the list on the disk.
func (m *Mirror) Path(name string) string {
	return filepath.Join(m.Dir, "lists", filepath.FromSlash(m.Agency.List), filepath.FromSlash(name))
}

// Write writes a file of the list to the mirror's folder.
func (m *Mirror) Write(name string, content []byte) {
	m.Agency.T.Helper()
	check(m.Agency.T, os.MkdirAll(filepath.Dir(m.Path(name)), 0o755))
	check(m.Agency.T, os.WriteFile(m.Path(name), content, 0o644))
}

// Publish writes the files of a release and the agency's roots, with a new snapshot and timestamp. Then it increments
// Version.
func (m *Mirror) Publish(r Release) {
	t := m.Agency.T
	t.Helper()
	for i, root := range m.Agency.Roots {
		m.Write(trust.RootName(int64(i)+1), root)
	}
	spec, err := trust.ParseTargets(r.Targets)
	check(t, err)
	m.Write(trust.TargetsName(spec.Version), r.Targets)
	for _, f := range spec.All() {
		if b, ok := r.Files[f.Path]; ok {
			m.Write(f.URLPath(), b)
		}
	}
	if len(r.Urgent) > 0 {
		m.urgent = r.Urgent
		urgent, err := trust.ParseUrgent(r.Urgent)
		check(t, err)
		m.version = urgent.Version
		m.Write(trust.UrgentName(m.version), r.Urgent)
	}
	snapshot, err := trust.NewSnapshot(trust.OnlineSpec{
		List: m.Agency.List, Version: m.Version, Expires: m.Expires, Next: r.Targets, NextVersion: spec.Version,
		Urgent: m.urgent, UrgentVersion: m.version,
	})
	check(t, err)
	snapshot = Sign(t, snapshot, m.Online)
	m.Write(trust.SnapshotName(m.Version), snapshot)
	timestamp, err := trust.NewTimestamp(trust.OnlineSpec{
		List: m.Agency.List, Version: m.Version, Expires: m.Expires,
		Next: snapshot, NextVersion: m.Version,
	})
	check(t, err)
	m.Write(trust.TimestampName, Sign(t, timestamp, m.Online))
	m.Version++
}
