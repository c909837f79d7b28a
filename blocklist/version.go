package blocklist

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Version returns the version of the lists, for programs that cache answers. It consists of 24 hexadecimal digits, and
// changes when a release, an urgent order or a local list takes effect or is removed. It does not change on a restart,
// or when entries expire. The call is cheap and takes no lock.
func (s *lookups) Version() string { return s.view.Load().version }

// version returns the result of [Store.Version] for the given lists.
func version(lists []*list) string {
	h := sha256.New()
	for _, l := range lists {
		fmt.Fprintln(h, l.info.List, l.info.Serial, l.info.Digest, l.urgent)
		if l.info.Serial == 0 { // a local list has no digest, but each of its sets is written once
			fmt.Fprintln(h, l.base.header.Salt, l.base.header.Rows, l.base.header.Sum)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
