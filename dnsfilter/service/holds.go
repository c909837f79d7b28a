package service

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// localHold is a hold of the guards on a new state of a local list. Its serial is 0, and its digest is that of the
// file.
type localHold struct {
	subscribe.Hold

	Source string     `json:"source"` // state of the file, see [config.LocalFile.Source]
	File   FileReport `json:"file"`
}

// review collects the findings of a guard on the entries of a file, while the file is read. The zero value has no guard
// and no findings.
type review struct {
	by    *guard.Guard
	found *guard.Additions
	add   func(blocklist.Entry)
}

// review starts the review of a file. The argument first is true if the list has no state yet.
func (g guards) review(f config.LocalFile, first bool) review {
	by := g.own
	if f.Allow {
		by = g.allow
	}
	if f.Unguarded || by == nil {
		return review{}
	}
	if f.Diverts {
		by = by.Diverting()
	}
	found := by.Additions(first)
	return review{by, found, found.Add}
}

// zone reviews a policy zone that is to replace another one. The function compare compares the two zones, calls add for
// each new entry, and returns the number of new rules. This number is also the result of zone. Entries with findings
// are reviewed in the order of their targets, so that the same findings have the same digest.
func (r review) zone(compare func(add func(blocklist.Entry)) int) (added uint64) {
	if r.found == nil {
		return 0
	}
	var tripping []blocklist.Entry
	added = uint64(compare(func(e blocklist.Entry) {
		if len(r.by.Entry(e)) > 0 {
			tripping = append(tripping, e)
		}
	}))
	slices.SortFunc(tripping, func(a, b blocklist.Entry) int { return strings.Compare(a.Target(), b.Target()) })
	for _, e := range tripping {
		r.add(e)
	}
	return added
}

// hold ends the review. It returns a hold for the findings, or nil if there are none.
func (r review) hold(f config.LocalFile, c blocklist.LocalChange, sum []byte) *localHold {
	if r.found == nil {
		return nil
	}
	report := r.found.Report(c.Before, c.After, c.Added)
	if report.Held == 0 {
		return nil
	}
	h := &localHold{}
	h.Digest, h.Entries, h.Report = fmt.Sprintf("%x", sum), c.After, report
	h.Since = time.Now().UTC().Truncate(time.Second)
	id := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", f.List, h.Digest, report.Digest))
	h.ID = fmt.Sprintf("%x", id[:16])
	return h
}

// localHolds has the holds on local lists and policy zones. They are stored in a file. After a restart, the files on
// hold are read and reviewed again.
type localHolds struct {
	path string
	mu   sync.Mutex
	by   map[string]*localHold // hold by list name; the values are immutable
}

// localHoldsFile is the name of the file in the state folder that stores localHolds.
const localHoldsFile = "local-holds.json"

// readLocalHolds reads the stored holds. If the file can't be read, it returns a value without holds.
func readLocalHolds(state string) *localHolds {
	h := &localHolds{path: filepath.Join(state, localHoldsFile)}
	if text, err := os.ReadFile(h.path); err != nil || json.Unmarshal(text, &h.by) != nil || h.by == nil {
		h.by = map[string]*localHold{}
	}
	maps.DeleteFunc(h.by, func(_ string, held *localHold) bool { return held == nil || held.Report == nil })
	return h
}

// of returns the hold on a list, or nil.
func (h *localHolds) of(list string) *localHold {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.by[list]
}

// set sets the hold on a list, or removes it if held is nil. If the old hold has the same findings and was rejected,
// the new one is rejected, too. If the old hold also has the same ID, the new one takes over its time.
func (h *localHolds) set(list string, held *localHold) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.by[list]
	switch {
	case held == nil && old == nil:
		return nil
	case held == nil:
		delete(h.by, list)
		return h.save()
	case old != nil && old.Report.Digest == held.Report.Digest:
		held.Rejected = held.Rejected || old.Rejected
		if old.ID == held.ID {
			held.Since = old.Since
		}
	}
	h.by[list] = held
	return h.save()
}

// keep removes the holds on lists that the settings do not have.
func (h *localHolds) keep(settings *config.Settings) error {
	files := settings.LocalFiles()
	for _, l := range settings.ZoneLists() {
		files = append(files, l.LocalFile())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.by)
	maps.DeleteFunc(h.by, func(list string, _ *localHold) bool {
		return !slices.ContainsFunc(files, func(f config.LocalFile) bool { return f.List == list })
	})
	if len(h.by) == before {
		return nil
	}
	return h.save()
}

func (h *localHolds) save() error {
	if len(h.by) == 0 {
		if err := os.Remove(h.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.MarshalIndent(h.by, "", " ")
	if err == nil {
		err = os.WriteFile(h.path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(h.path+".new", h.path)
	}
	if err != nil {
		return fmt.Errorf("keeping what is on hold: %w", err)
	}
	return nil
}

// reject marks the hold with this ID as rejected. It returns [subscribe.ErrNoHold] if the list has no such hold.
func (h *localHolds) reject(list, id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.by[list]
	if held == nil || held.ID != id {
		return subscribe.ErrNoHold
	}
	rejected := *held
	rejected.Rejected = true
	h.by[list] = &rejected
	return h.save()
}
