package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// upgrade converts a ledger of an older version in one transaction. Version 2 added the columns place and expires to
// entries, and the table of checks. Version 3 added the table of orders: every earlier entry rests on one order, whose
// line is the entry. Version 4 links the changes of each target. Version 5 added the tables of proposals, version 6 the
// index of operations by kind, version 7 that of
// decisions on proposals. The history does not change.
func upgrade(ctx context.Context, db *sql.DB) error {
	if version, err := (View{q: db}).Meta(ctx, metaVersion); err != nil || !older(version) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // from here on no other process writes
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	version, err := (View{q: tx}).Meta(ctx, metaVersion)
	if err == nil && older(version) {
		err = upgradeFrom(ctx, tx, version)
	}
	if err != nil {
		return fmt.Errorf("upgrading: %w", err)
	}
	return tx.Commit()
}

func older(version string) bool {
	return slices.Contains([]string{"1", "2", "3", "4", "5", "6"}, version)
}

func upgradeFrom(ctx context.Context, tx *sql.Tx, version string) error {
	if version == "1" {
		if err := upgradeEntries(ctx, tx); err != nil {
			return err
		}
	}
	text := ""
	if version < "4" {
		text += upgradeLinks(version)
	}
	if version < "5" {
		text += schemaProposals
	}
	if version < "6" {
		text += schemaKinds
	}
	text += schemaDecisions
	_, err := tx.ExecContext(ctx, text+`
		UPDATE meta SET value = '`+schemaVersion+`' WHERE key = '`+metaVersion+`'`)
	return err
}

// upgradeLinks returns the statements that convert a ledger of the given version, below 4, to version 4.
func upgradeLinks(version string) string {
	text := linkChanges
	if version != "1" {
		text = `ALTER TABLE entries ADD COLUMN change INTEGER NOT NULL DEFAULT 0;` + text
	}
	if version != "3" {
		text += dropIndexes2 + schemaOrders + schemaIndexes
	}
	return text
}

// linkChanges links the changes of each target. It replaces the index by target that version 3 had.
const linkChanges = schemaLinks + `
ALTER TABLE changes ADD COLUMN before INTEGER;
UPDATE changes SET before = linked.before
	FROM (SELECT id, lag(id) OVER (PARTITION BY target ORDER BY id) AS before FROM changes) AS linked
	WHERE linked.id = changes.id AND linked.before IS NOT NULL;
UPDATE entries SET change = newest.id
	FROM (SELECT target, max(id) AS id FROM changes GROUP BY target) AS newest WHERE newest.target = entries.target;
INSERT INTO gone SELECT target, max(id) FROM changes WHERE target NOT IN (SELECT target FROM entries) GROUP BY target;
DROP INDEX IF EXISTS changes_target;
`

// dropIndexes2 drops those indexes of version 2 that the upgrade makes again. Version 1 had none of them.
const dropIndexes2 = `DROP INDEX IF EXISTS entries_place; DROP INDEX IF EXISTS entries_expires; DROP INDEX IF EXISTS changes_pages;`

// upgradeEntries converts the tables of version 1 to those of version 2.
func upgradeEntries(ctx context.Context, tx *sql.Tx) (err error) {
	if _, err := tx.ExecContext(ctx, `ALTER TABLE entries RENAME TO entries_1;`+schemaState); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO entries (target, attributes, place, expires)
		SELECT target, attributes, ?, ? FROM entries_1 WHERE target = ?`)
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
