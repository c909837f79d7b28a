package argine

import (
	"path/filepath"
	"sync"

	"github.com/argine-dns/argine/blocklist"
)

// stores has the open stores, by folder. When CoreDNS reloads, the new chain of plugins starts before the old one ends.
// A store can have only one owner, so both chains share it, and no query finds an empty store.
var stores = struct {
	sync.Mutex
	open map[string]*shared
}{open: map[string]*shared{}}

type shared struct {
	store *blocklist.Store
	users int
}

func acquire(dir string) (*blocklist.Store, error) {
	stores.Lock()
	defer stores.Unlock()
	dir = filepath.Clean(dir)
	s := stores.open[dir]
	if s == nil {
		store, err := blocklist.Open(dir, blocklist.Options{})
		if err != nil {
			return nil, err
		}
		s = &shared{store: store}
		stores.open[dir] = s
	}
	s.users++
	return s.store, nil
}

func release(dir string) error {
	stores.Lock()
	defer stores.Unlock()
	dir = filepath.Clean(dir)
	s := stores.open[dir]
	if s.users--; s.users > 0 {
		return nil
	}
	delete(stores.open, dir)
	return s.store.Close()
}
