// Package tempstore provides temporary stores.
package tempstore

import (
	"os"

	"github.com/argine-dns/argine/blocklist"
)

// With creates an empty temporary store, calls the function do with it, and deletes the store afterwards. It returns
// the error of do.
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
	defer store.Close() //nolint:errcheck // the store is temporary
	return do(store)
}
