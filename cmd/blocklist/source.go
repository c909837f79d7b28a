package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// source is what a program looks in for as long as it runs. When the file or folder changes it is read again, beside
// the lookups; where that fails, the last good lists stay.
type source struct {
	path   string
	open   func() (lists, error)
	report func(error)
	held   atomic.Pointer[heldLists] // nil until the first good ones
	end    func()                    // stops looking for changes
}

type heldLists struct {
	lists
	state string // of the files that they were made of
}

// How often files are looked at, and how long to wait at most after one that can't be read.
const (
	watchEvery   = 500 * time.Millisecond
	watchSlowest = 30 * time.Second
)

// errNotYet is returned for a folder that somebody else is about to fill.
var errNotYet = errors.New("there is nothing to look in yet")

// openSource opens what path has, and goes on looking at it until its end is called. A folder may be empty at first.
func (a *app) openSource(ctx context.Context, in *input, path string) (*source, error) {
	if path == "-" {
		return nil, usage("name a file or folder: it is looked in for as long as this runs")
	}
	s := &source{path: path, report: a.report, open: func() (lists, error) { return a.openLists(ctx, in, path) }}
	state := stateOf(path)
	if err := s.read(state); err != nil {
		if info, missing := os.Stat(path); missing != nil || !info.IsDir() {
			return nil, err
		}
		a.report(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	s.end = func() { cancel(); watching.Wait() }
	return s, nil
}

// read opens the lists, and holds them.
func (s *source) read(state string) error {
	l, err := s.open()
	if err != nil {
		return err
	}
	if isFile(s.path) && stateOf(s.path) != state {
		return fmt.Errorf("%s changed while it was read", s.path)
	}
	s.held.Store(&heldLists{l, state})
	return nil
}

// watch reads what has changed. A file counts when it looked the same twice, so that one that is being written is not
// taken for whole; a folder has files that change in one step.
func (s *source) watch(ctx context.Context) {
	var seen, failed string
	var wait time.Duration
	var next time.Time
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		state := stateOf(s.path)
		rested := state == seen || !isFile(s.path)
		seen = state
		if h := s.held.Load(); h != nil && h.state == state || !rested || state == failed && time.Now().Before(next) {
			continue
		}
		err := s.read(state)
		switch {
		case err == nil:
			failed = ""
		case state != failed:
			failed, wait = state, watchEvery
			s.report(fmt.Errorf("reading %s again; the answers stay as they were: %w", s.path, err))
		default:
			wait = min(2*wait, watchSlowest)
		}
		next = time.Now().Add(wait)
	}
}

// ready tells why there can be no answers yet.
func (s *source) ready() error {
	if s.held.Load() == nil {
		return errNotYet
	}
	return nil
}

// LookupHost implements httpfilter.List, once it is ready.
func (s *source) LookupHost(host string) (blocklist.Match, bool) {
	return s.held.Load().LookupHost(host)
}

// LookupAddr implements httpfilter.List, once it is ready.
func (s *source) LookupAddr(a netip.Addr) (blocklist.Match, bool) {
	return s.held.Load().LookupAddr(a)
}

// LookupURL implements httpfilter.List, once it is ready.
func (s *source) LookupURL(url string) (blocklist.Match, bool) {
	return s.held.Load().LookupURL(url)
}

// Version changes with the lists.
func (s *source) Version() string {
	if h := s.held.Load(); h != nil {
		return h.Version()
	}
	return ""
}

// stateOf changes when a file does, or what counts in a folder.
func stateOf(path string) string {
	var b strings.Builder
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error { // what can't be read is left out
		if err != nil || d.IsDir() || p != path && d.Name() != "state.json" && d.Name() != "ledger.db" {
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&b, p, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}
