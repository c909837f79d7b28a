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
	"github.com/argine-dns/argine/blocklist/publish"
)

// source has the lists that a long-running program searches. When the file or folder changes, they are read again in
// the background. If that fails, the lists read before stay in use.
type source struct {
	path   string
	open   func() (lists, error)
	report func(error)
	held   atomic.Pointer[heldLists] // nil until the lists were read
	end    func()                    // stops the watching for changes
}

type heldLists struct {
	lists
	state string // state of the files that were read, see [stateOf]
}

// Intervals of [source.watch]: between two checks of the files, and the longest one after repeated failures to read the
// files.
const (
	watchEvery   = 500 * time.Millisecond
	watchSlowest = 30 * time.Second
)

// errNotYet is returned by [source.ready] while a folder has no lists yet; another program may fill it later.
var errNotYet = errors.New("there is nothing to look in yet")

// openSource opens the lists at path, and watches path for changes until the function end is called. A folder may be
// empty at first.
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

// read opens the lists, and puts them in use. The argument is the state of the files, see [stateOf].
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

// watch reads changed files again until ctx ends. It waits until two checks find the same state of a file, so that it
// does not read a half-written file. Files in a folder are replaced atomically, so it reads them at once.
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

// ready returns an error if there are no lists yet.
func (s *source) ready() error {
	if s.held.Load() == nil {
		return errNotYet
	}
	return nil
}

// LookupHost implements httpfilter.List. It must not be called before ready returns nil.
func (s *source) LookupHost(host string) (blocklist.Match, bool) {
	return s.held.Load().LookupHost(host)
}

// LookupAddr implements httpfilter.List. It must not be called before ready returns nil.
func (s *source) LookupAddr(a netip.Addr) (blocklist.Match, bool) {
	return s.held.Load().LookupAddr(a)
}

// LookupURL implements httpfilter.List. It must not be called before ready returns nil.
func (s *source) LookupURL(url string) (blocklist.Match, bool) {
	return s.held.Load().LookupURL(url)
}

// Version returns the version of the lists, empty if there are none yet.
func (s *source) Version() string {
	if h := s.held.Load(); h != nil {
		return h.Version()
	}
	return ""
}

// stateOf returns a text with the sizes and modification times of the file at path, or of the main files in the folder
// at path. The text changes when one of these files does.
func stateOf(path string) string {
	var b strings.Builder
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error { // unreadable files are left out
		if err != nil || d.IsDir() || p != path && d.Name() != "state.json" && d.Name() != publish.LedgerFile {
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&b, p, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}
