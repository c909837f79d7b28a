package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// settled is how long a folder must not have changed before its time stands for its content: times of files have steps,
// of some milliseconds on most systems.
const settled = 100 * time.Millisecond

// state returns the state of the folder. After a change, by whomever, it is another one.
func (d *Desk) state(ctx context.Context, l *publish.Ledger) (s state, err error) {
	s.version, err = l.Version(ctx)
	s.folders = d.folders()
	return s, err
}

// look returns the overview of a state.
func (d *Desk) look(ctx context.Context, l *publish.Ledger, of state) (*overview, error) {
	return d.overview.get(ctx, fmt.Sprint(of), func(ctx context.Context) (*overview, error) {
		status, err := l.Status(ctx)
		if err != nil {
			return nil, err
		}
		roles, err := l.RolesOf(ctx)
		return &overview{status, roles, l.Confidential()}, err
	})
}

// folders returns the times of the folders in which a signature changes a file, without an operation of the ledger.
func (d *Desk) folders() (times string) {
	now := time.Now()
	for _, name := range []string{".", "roots", "pending", "pending/release", "releases", "urgent"} {
		info, err := os.Stat(filepath.Join(d.Dir, name))
		if err != nil {
			continue
		}
		times += fmt.Sprintf(" %d", info.ModTime().UnixNano())
		if now.Sub(info.ModTime()).Abs() < settled {
			times += fmt.Sprintf(" at %d", now.UnixNano())
		}
	}
	return times
}
