package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// AdoptRelease records the signed release with this serial, ledger head, number of entries and digest. It replaces an
// existing record of the serial. The number of entries and the digest must be those of the list after the operation
// whose hash is the argument head. If the ledger has no such operation, they must be those of the list after the
// current operation. Otherwise AdoptRelease fails with [blocklist.ErrDigest].
func (t *Tx) AdoptRelease(ctx context.Context, serial uint64, head string, entries uint64, digest string) error {
	at, err := t.OperationByHash(ctx, head)
	if errors.Is(err, sql.ErrNoRows) {
		at, err = t.op, nil
		at.Digest = t.digest.String()
	}
	if err != nil {
		return err
	}
	if at.Entries != entries || at.Digest != digest {
		return fmt.Errorf("serial %d: %w: the ledger has %d entries and digest %.12s, signed were %d and %.12s", serial,
			blocklist.ErrDigest, at.Entries, at.Digest, entries, digest)
	}
	_, err = t.tx.ExecContext(ctx, `INSERT OR REPLACE INTO releases (serial, operation, head, pushed) VALUES (?, ?, ?, ?)`,
		serial, at.ID, head, FormatTime(t.op.Time))
	return err
}

// ForgetRelease removes the record of a release.
func (t *Tx) ForgetRelease(ctx context.Context, serial uint64) error {
	_, err := t.tx.ExecContext(ctx, `DELETE FROM releases WHERE serial = ?`, serial)
	return err
}
