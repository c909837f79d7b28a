package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// upgrade converts a ledger of version 1 to version 2 in one transaction. It adds the columns place and expires to
// entries, and the table of checks. The history does not change.
func upgrade(ctx context.Context, db *sql.DB) error {
	if version, err := (View{q: db}).Meta(ctx, metaVersion); err != nil || version != "1" {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // from here on no other process writes
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if version, err := (View{q: tx}).Meta(ctx, metaVersion); err != nil || version != "1" {
		return err
	}
	if err := upgradeEntries(ctx, tx); err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	return tx.Commit()
}

func upgradeEntries(ctx context.Context, tx *sql.Tx) (err error) {
	if _, err := tx.ExecContext(ctx, `ALTER TABLE entries RENAME TO entries_1;`+schemaState); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO entries SELECT target, attributes, ?, ? FROM entries_1 WHERE target = ?`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	for e, err := range query(ctx, tx, scanEntry, `SELECT target, attributes FROM entries_1`) {
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, reversedName(e), expires(e), e.Target()); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `DROP TABLE entries_1; UPDATE meta SET value = '2' WHERE key = 'version'`)
	return err
}
