package origin

import (
	"bytes"
	"sync"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// verifiedCache caches the last root and the last receipt keys of each list that were read from disk and verified. Any
// client can trigger these reads, as often as it likes.
type verifiedCache struct {
	mu    sync.Mutex
	roots map[string]*trust.Root
	keys  map[string]keyring
}

// keyring holds the keys whose receipts are accepted.
type keyring struct {
	text string
	keys receipt.Keys
}

// root is a cached [trust.OpenRoot].
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

// receiptKeys is a cached [receipt.ParseKeys].
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
