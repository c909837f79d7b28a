package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// upgrade turns a ledger of version 1 into one of version 2, in one step: an entry has its place and expiry beside it, and
// there are checks. The history stays as it is.
func upgrade(ctx context.Context, db *sql.DB) error {
	if version, err := readVersion(ctx, db); err != nil || version != "1" {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // from here on nobody else writes
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if version, err := readVersion(ctx, tx); err != nil || version != "1" {
		return err
	}
	if err := upgradeEntries(ctx, tx); err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	return tx.Commit()
}

func readVersion(ctx context.Context, q querier) (version string, err error) {
	for version, err = range query(ctx, q, scanText, `SELECT value FROM meta WHERE key = 'version'`) {
		if err != nil {
			return "", err
		}
	}
	return version, nil
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
		if _, err := insert.ExecContext(ctx, place(e), expires(e), e.Target()); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `DROP TABLE entries_1; UPDATE meta SET value = '2' WHERE key = 'version'`)
	return err
}
