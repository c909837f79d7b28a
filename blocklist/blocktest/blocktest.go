// Package blocktest is for the tests of programs that look names up: a store with a few entries, and an origin that serves a
// signed list, without files, keys or a network of their own.
//
//	store := blocktest.NewStore(t, "example.org", "=www.example.com category=spam")
//
// What it signs is signed with keys that everybody has. Trust its roots in tests alone.
package blocktest

import (
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// List is the name of the list that NewStore and NewOrigin make.
const List = trusttest.List

// NewStore makes a store with lines of entries as the list [List]; without lines it is empty. It is closed, and its folder
// removed, when the test ends.
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

// Origin serves the list [List] on loopback. Its releases are snapshots, signed by two of three officers.
type Origin struct {
	URL  string // for subscribe.Config.Origins
	Root []byte // for subscribe.Config.Root

	agency *trusttest.Agency
	mirror *trusttest.Mirror
	serial uint64
}

// NewOrigin starts an origin with lines of entries as serial 1; without lines nothing is published yet. It ends with the
// test.
func NewOrigin(t testing.TB, lines ...string) *Origin {
	t.Helper()
	online := trusttest.NewPerson("origin")
	agency := trusttest.NewAgency(t, online.Key)
	o := &Origin{Root: agency.Roots[0], agency: agency, mirror: agency.NewMirror(online)}
	server := httptest.NewServer(http.FileServer(http.Dir(o.mirror.Dir)))
	t.Cleanup(server.Close)
	o.URL = server.URL
	if len(lines) > 0 {
		o.Publish(lines...)
	}
	return o
}

// Publish makes lines of entries the next release, in place of what the list was. Each line is one entry.
func (o *Origin) Publish(lines ...string) {
	o.agency.T.Helper()
	o.serial++
	o.mirror.Publish(o.agency.Release(o.serial, lines...))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
