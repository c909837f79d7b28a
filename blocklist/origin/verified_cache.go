package origin

import (
	"bytes"
	"sync"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// verifiedCache caches the last verified root and the last parsed receipt keys of each list. Requests of any client
// need them, so they must not be verified each time.
type verifiedCache struct {
	mu    sync.Mutex
	roots map[string]*trust.Root
	keys  map[string]keyring
}

// keyring has the receipt keys of a list, and the text that they were parsed from.
type keyring struct {
	text string
	keys receipt.Keys
}

// root is [trust.OpenRoot] with a cache.
func (v *verifiedCache) root(list string, b []byte) (*trust.Root, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.roots[list]; known != nil && bytes.Equal(known.Bytes(), b) {
		return known, nil
	}
	root, err := trust.OpenRoot(b)
	if err != nil {
		return nil, err
	}
	if v.roots == nil {
		v.roots = map[string]*trust.Root{}
	}
	v.roots[list] = root
	return root, nil
}

// receiptKeys is [receipt.ParseKeys] with a cache.
func (v *verifiedCache) receiptKeys(dir, text string) (receipt.Keys, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.keys[dir]; ok && known.text == text {
		return known.keys, nil
	}
	keys, err := receipt.ParseKeys(text)
	if err != nil {
		return nil, err
	}
	if v.keys == nil {
		v.keys = map[string]keyring{}
	}
	v.keys[dir] = keyring{text, keys}
	return keys, nil
}
