package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
)

// Plan describes the changes that a reload would make.
type Plan struct {
	config.Changes

	Files []FileChange `json:"files,omitempty"` // files of local lists and allow lists with new content
}

// IsEmpty reports whether a reload would change nothing.
func (p *Plan) IsEmpty() bool {
	return len(p.Added)+len(p.Removed)+len(p.Changed)+len(p.Keys)+len(p.Restart)+len(p.Lost)+len(p.Files) == 0
}

// FileChange describes the change that a reload would make to the list of a file.
type FileChange struct {
	List   string `json:"list"`
	File   string `json:"file"`
	Before uint64 `json:"before"` // number of entries in force
	After  uint64 `json:"after"`  // number of entries in the file
	// Held has the findings that would put the file on hold. Nil: there are none.
	Held *guard.Report `json:"held,omitempty"`
}

// Plan returns the changes that a reload would make, and makes none of them. It fails in most cases in which a reload
// would fail.
func (c *Control) Plan(ctx context.Context) (p Plan, err error) {
	err = c.call(ctx, http.MethodPost, "/reload/dry-run", struct{}{}, &p)
	return p, err
}

func (s *Service) servePlan(w http.ResponseWriter, _ *http.Request) {
	p, err := s.plan()
	if err != nil {
		refuseControl(w, err)
		return
	}
	writeControl(w, p)
}

func (s *Service) plan() (p Plan, err error) {
	current := s.active.Load()
	next, err := s.read()
	if err != nil {
		return p, err
	}
	if err := next.CheckFiles(); err != nil {
		return p, err
	}
	if _, err := next.LoadServer(); err != nil {
		return p, err
	}
	by, err := current.guards.next(next)
	if err != nil {
		return p, err
	}
	p.Changes = current.settings.Changes(next)
	p.Restart = s.atStart.Fixed(next) // a reload may have read some of them, too
	for _, l := range next.ZoneLists() {
		c, err := s.previewZone(current.settings, by, l)
		if err != nil {
			return p, err
		}
		if c != nil {
			p.Files = append(p.Files, *c)
		}
	}
	err = tempstore.With(func(fresh *blocklist.Store) error {
		for _, f := range next.LocalFiles() {
			held, isCurrent := heldFile(f, s.store)
			if isCurrent || f.Awaited() {
				continue
			}
			l := loader{fresh, by, slog.New(slog.DiscardHandler)}
			if held {
				l.store = s.store
			}
			change, err := l.preview(f)
			switch {
			case err != nil && f.Fetched:
				continue
			case err != nil:
				return err
			}
			p.Files = append(p.Files, change)
		}
		return nil
	})
	return p, err
}

// previewZone returns the change that loading a policy zone would make, or nil if its file is in force or awaited.
func (s *Service) previewZone(current *config.Settings, by guards, l *config.List) (*FileChange, error) {
	f, next, zone := l.LocalFile(), dnsfilter.NewPolicyZone(l.RPZ), dnsfilter.NewPolicyZone(l.RPZ)
	if f.Awaited() {
		return nil, nil //nolint:nilnil // nothing changes
	}
	before := zoneState{}
	for _, old := range current.ZoneLists() {
		if old.Rule.List == f.List && old.RPZ == l.RPZ {
			zone, before = old.Rule.Zone, s.zoneLists.state(old.Rule.Zone)
		}
	}
	now, held, err := by.readZone(f, next, zone, before)
	switch {
	case err != nil:
		return nil, fmt.Errorf("loading list %s: %w", f.List, err)
	case now.source == before.source:
		return nil, nil //nolint:nilnil // nothing changes
	}
	out := &FileChange{List: f.List, File: f.Path, Before: uint64(before.report.Rules), After: uint64(now.report.Rules)}
	if held != nil {
		out.Held = held.Report
	}
	return out, nil
}

// errPreview ends the compilation of a file in preview, before the store is changed.
var errPreview = errors.New("it was only a preview")

// preview returns the change that loading a file would make. It changes nothing in the store.
func (l loader) preview(f config.LocalFile) (FileChange, error) {
	defer relaxGC()()
	out := FileChange{List: f.List, File: f.Path}
	err := l.compile(f, func(held *localHold, c blocklist.LocalChange) error {
		out.Before, out.After = c.Before, c.After
		if held != nil {
			out.Held = held.Report
		}
		return errPreview
	})
	if !errors.Is(err, errPreview) {
		return out, fmt.Errorf("loading list %s: %w", f.List, err)
	}
	return out, nil
}
