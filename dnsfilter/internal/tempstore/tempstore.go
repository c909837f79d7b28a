// Package tempstore has stores that are gone when they were used.
package tempstore

import (
	"os"

	"github.com/argine-dns/argine/blocklist"
)

// With runs do with an empty store that is gone afterwards.
func With(do func(*blocklist.Store) error) error {
	dir, err := os.MkdirTemp("", "dnsfilter")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing in it is to last
	return do(store)
}
