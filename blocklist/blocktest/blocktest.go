// Package blocktest is for the tests of programs that look names up: stores and sets with a few entries, and an
// origin that serves signed lists, announces releases and fails when it is asked to, without files, keys or a network
// of their own.
//
//	store := blocktest.NewStore(t, "example.org", "=www.example.com category=spam")
//
// What it signs is signed with keys that everybody has. Trust its roots in tests alone.
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

// NewStore makes a store with lines of entries as the list [List]; without lines it is empty. It is closed, and its
// folder removed, when the test ends.
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

// SetList makes lines of entries the local list of that name in the store, in place of what it was.
func SetList(t testing.TB, s *blocklist.Store, list string, lines ...string) {
	t.Helper()
	check(t, s.SetLocal(list, "test", Entries(lines...)))
}

// Entries reads entries from texts of one or more lines.
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

// NewSet makes a set with lines of entries as the list [List].
func NewSet(t testing.TB, lines ...string) *blocklist.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.set")
	check(t, blocklist.BuildSet(path, List, Entries(lines...)))
	s, err := blocklist.OpenSet(path)
	check(t, err)
	return s
}

// Origin serves signed lists on loopback, and announces what is new: a subscription that runs has it at once. Its
// releases are snapshots, signed by two of three officers.
type Origin struct {
	URL  string // for subscribe.Config.Origins
	Root []byte // of the list [List], for subscribe.Config.Root

	t      testing.TB
	origin *origin.Origin
	online notekey.Key
	server *httptest.Server
	lists  map[string]*publisher
	failed atomic.Int32 // status of all answers; 0: none
}

// publisher is an agency and the serial that it released last.
type publisher struct {
	*trusttest.Agency
	serial uint64
}

// NewOrigin starts an origin with lines of entries as serial 1 of the list [List]; without lines nothing is published
// yet. It ends with the test.
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

// AddList makes one more list, with lines of entries as serial 1, and returns its root; without lines nothing of it is
// published yet.
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

// Publish makes lines of entries the next release of the list [List], in place of what it was. Each line is one entry.
func (o *Origin) Publish(lines ...string) {
	o.t.Helper()
	o.PublishList(List, lines...)
}

// PublishList is Publish for a list that [Origin.AddList] has made.
func (o *Origin) PublishList(list string, lines ...string) {
	o.t.Helper()
	p := o.lists[list]
	p.serial++
	_, err := o.origin.Accept(context.Background(), bytes.NewReader(p.Bundle(p.Release(p.serial, lines...))))
	check(o.t, err)
}

// Fail makes every answer one with that status, such as 503, and ends the connections of now. With 0 the origin works
// again.
func (o *Origin) Fail(status int) {
	o.failed.Store(int32(status))
	o.server.CloseClientConnections()
}

// Stop ends the origin: nothing listens at its URL any more.
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
