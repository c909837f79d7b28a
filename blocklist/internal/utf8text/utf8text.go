// Package utf8text reads small text files from people's hands: editors and shells on Windows write a byte order mark (BOM), or
// UTF-16, where plain UTF-8 is meant.
package utf8text

import (
	"bytes"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// Decode returns the text without a byte order mark. It fails with [blocklist.ErrMalformed] for UTF-16, with or without a mark,
// and says so: such a file looks right in every editor.
func Decode(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.IndexByte(b[:min(len(b), 64)], 0) >= 0 {
		return nil, fmt.Errorf("%w: it is UTF-16 or binary; save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)", blocklist.ErrMalformed)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}
