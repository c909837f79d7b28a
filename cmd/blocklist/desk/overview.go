package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/publish"
)

// overview is what every page needs of the list's state. It is read once for each state.
type overview struct {
	publish.Status
	roles        map[string]string
	confidential bool
}

// look returns the overview of the present state.
func (d *Desk) look(ctx context.Context, l *publish.Ledger) (*overview, error) {
	head, err := l.History().Head(ctx)
	if err != nil {
		return nil, err
	}
	return d.overview.get(ctx, head.Hash+d.folders(), func(ctx context.Context) (*overview, error) {
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
	for _, name := range []string{".", "roots", "pending", "pending/release", "releases", "urgent"} {
		if info, err := os.Stat(filepath.Join(d.Dir, name)); err == nil {
			times += fmt.Sprintf(" %d", info.ModTime().UnixNano())
		}
	}
	return times
}
