package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// upgrade converts a ledger of version 1 or 2 to version 3 in one transaction. Version 2 added the columns place and
// expires to entries, and the table of checks. Version 3 added the table of orders: every entry of before rests on one
// order, whose line is the entry. The history does not change.
func upgrade(ctx context.Context, db *sql.DB) error {
	if version, err := (View{q: db}).Meta(ctx, metaVersion); err != nil || version != "1" && version != "2" {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // from here on no other process writes
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	version, err := (View{q: tx}).Meta(ctx, metaVersion)
	if err == nil && version == "1" {
		err = upgradeEntries(ctx, tx)
	}
	if err == nil && version != schemaVersion {
		_, err = tx.ExecContext(ctx, dropIndexes2+schemaOrders+schemaIndexes+
			`UPDATE meta SET value = '`+schemaVersion+`' WHERE key = '`+metaVersion+`'`)
	}
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	return tx.Commit()
}

// dropIndexes2 drops the indexes of version 2 that are made again. Version 1 had none of them.
const dropIndexes2 = `DROP INDEX IF EXISTS entries_place; DROP INDEX IF EXISTS entries_expires; DROP INDEX IF EXISTS changes_pages;`

// upgradeEntries converts the tables of version 1 to those of version 2.
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
	_, err = tx.ExecContext(ctx, `DROP TABLE entries_1`)
	return err
}
