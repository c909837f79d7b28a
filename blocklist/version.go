package blocklist

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Version names what lookups find, for those who keep answers: 24 hexadecimal digits that change with each release,
// urgent order and local list that comes into force or goes, and not with a restart. That entries expire does not
// change it. It waits for nothing, and costs nothing.
func (s *lookups) Version() string { return s.view.Load().version }

// version is [Store.Version] of what lookups find in lists.
func version(lists []*list) string {
	h := sha256.New()
	for _, l := range lists {
		fmt.Fprintln(h, l.info.List, l.info.Serial, l.info.Digest, l.urgent)
		if l.info.Serial == 0 { // a local list has no digest, and its set is written once
			fmt.Fprintln(h, l.base.header.Salt, l.base.header.Rows, l.base.header.Sum)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
