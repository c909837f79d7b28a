package origin

import (
	"bytes"
	"sync"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// verifiedCache is what was read from the folder and verified last, by list: anyone may make the origin read it, as
// often as they like.
type verifiedCache struct {
	mu    sync.Mutex
	roots map[string]*trust.Root
	keys  map[string]keyring
}

// keyring is the keys of those whose receipts are taken.
type keyring struct {
	text string
	keys receipt.Keys
}

// root is [trust.OpenRoot].
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

// receiptKeys is [receipt.ParseKeys].
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
