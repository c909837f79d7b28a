// Package blocktest helps to test programs that look up names. It creates stores and sets with a few entries, and an
// origin that serves signed lists, announces releases and fails on request. Tests need no files, keys or network of
// their own.
//
//	store := blocktest.NewStore(t, "example.org", "=www.example.com category=spam")
//
// The keys with which it signs are public: trust its roots only in tests.
package blocktest

import (
	"bytes"
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
)

// List is the name of the list that NewStore, NewSet and NewOrigin make.
const List = trusttest.List

// NewStore returns a store that has the given entry lines as the list [List]. Without lines, the store has no list.
// When the test ends, the store is closed and its folder is removed.
func NewStore(t testing.TB, lines ...string) *blocklist.Store {
	t.Helper()
	s, err := blocklist.Open(t.TempDir(), blocklist.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	if len(lines) > 0 {
		SetList(t, s, List, lines...)
	}
	return s
}

// SetList replaces the entries of a local list in the store. The list need not exist yet.
func SetList(t testing.TB, s *blocklist.Store, list string, lines ...string) {
	t.Helper()
	check(t, s.SetLocal(list, "test", Entries(lines...)))
}

// Entries yields the entries in texts of one or more entry lines.
func Entries(texts ...string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, text := range texts {
			for line := range strings.Lines(text) {
				if !yield(blocklist.ParseEntry(line)) {
					return
				}
			}
		}
	}
}

// NewSet returns a set with the given entry lines, as the list [List].
func NewSet(t testing.TB, lines ...string) *blocklist.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.set")
	check(t, blocklist.BuildSet(path, List, Entries(lines...)))
	s, err := blocklist.OpenSet(path)
	check(t, err)
	return s
}

// Origin serves signed lists at a loopback address. It announces releases, so a running subscription fetches them at
// once. Its releases are snapshots, signed by two of three officers.
type Origin struct {
	URL  string // base URL, for subscribe.Config.Origins
	Root []byte // root of the list [List], for subscribe.Config.Root

	t      testing.TB
	origin *origin.Origin
	online notekey.Key
	server *httptest.Server
	lists  map[string]*publisher
	failed atomic.Int32 // HTTP status of all answers; 0: normal operation
}

// publisher has an agency's keys and the serial of its last release.
type publisher struct {
	*trusttest.Agency
	serial uint64
}

// NewOrigin starts an origin that publishes the given entry lines as serial 1 of the list [List]. Without lines, it
// has no release yet. It stops when the test ends.
func NewOrigin(t testing.TB, lines ...string) *Origin {
	t.Helper()
	o := &Origin{t: t, lists: map[string]*publisher{}}
	dir := t.TempDir()
	public, err := origin.Init(dir)
	check(t, err)
	o.online, err = notekey.Parse(public)
	check(t, err)
	o.origin, err = origin.Open(dir, origin.Options{})
	check(t, err)
	handler := o.origin.Handler()
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := o.failed.Load(); status > 0 {
			w.WriteHeader(int(status))
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Stop)
	o.URL, o.Root = o.server.URL, o.AddList(List, lines...)
	return o
}

// AddList creates another list, publishes the given entry lines as its serial 1, and returns its root. Without lines,
// the list has no release yet.
func (o *Origin) AddList(list string, lines ...string) (root []byte) {
	o.t.Helper()
	agency := trusttest.NewAgency(o.t, o.online)
	agency.List, agency.Roots = list, nil
	agency.Rotate()
	_, err := o.origin.Trust(agency.Roots[0])
	check(o.t, err)
	o.lists[list] = &publisher{Agency: agency}
	if len(lines) > 0 {
		o.PublishList(list, lines...)
	}
	return agency.Roots[0]
}

// Publish publishes the given entry lines as the next serial of the list [List]. They replace its earlier entries.
// Each argument is one entry.
func (o *Origin) Publish(lines ...string) {
	o.t.Helper()
	o.PublishList(List, lines...)
}

// PublishList is [Origin.Publish] for a list that [Origin.AddList] created.
func (o *Origin) PublishList(list string, lines ...string) {
	o.t.Helper()
	p := o.lists[list]
	p.serial++
	_, err := o.origin.Accept(context.Background(), bytes.NewReader(p.Bundle(p.Release(p.serial, lines...))))
	check(o.t, err)
}

// Fail makes every further request fail with an HTTP status, such as 503, and closes the open connections. Status 0
// restores normal operation.
func (o *Origin) Fail(status int) {
	o.failed.Store(int32(status))
	o.server.CloseClientConnections()
}

// Stop shuts the origin down: connections to its URL are refused.
func (o *Origin) Stop() {
	o.server.CloseClientConnections()
	o.server.Close()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
