package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// schema is the schema of the ledger. An entry's canonical line is its target followed by its attributes, which begin
// with a space. The columns place and expires repeat parts of the entry as indexes for releases, see [reversedName].
// The changes of an operation are the rows after the last change of the previous operation, up to its own last change;
// their signs are described at [signAdded]. Checks are numbered by line, in the order of the operation's hash. The
// table orders has only the targets with several orders, numbered from the oldest. A target without rows there has one
// order, whose line is the entry.
//
// The changes of a target are a linked list, see [changesOf]. The ID of a target's last change is in the column change:
// of the table entries if the target is listed, and otherwise of the table gone. The column before of a change is the
// ID of the target's previous change. An index by target would cost a fifth of the file, and of the time of an import.
const schema = schemaHistory + schemaState + schemaOrders + schemaLinks + schemaIndexes + schemaProposals +
	schemaKinds + schemaDecisions

const schemaHistory = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE operations (
	id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
	reference TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL, last_change INTEGER NOT NULL,
	changes_hash TEXT NOT NULL, entries INTEGER NOT NULL, digest TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE changes (
	id INTEGER PRIMARY KEY, sign TEXT NOT NULL, target TEXT NOT NULL, attributes TEXT NOT NULL, before INTEGER);
CREATE TABLE releases (serial INTEGER PRIMARY KEY, operation INTEGER NOT NULL, head TEXT NOT NULL, pushed TEXT NOT NULL);
`

// schemaState has the tables that are new or changed in version 2; see [upgrade].
const schemaState = `
CREATE INDEX operations_hash ON operations (hash);
CREATE TABLE entries (
	target TEXT PRIMARY KEY, attributes TEXT NOT NULL, place TEXT, expires INTEGER, change INTEGER NOT NULL DEFAULT 0)
	WITHOUT ROWID;
CREATE TABLE checks (
	operation INTEGER NOT NULL, line INTEGER NOT NULL, target TEXT NOT NULL, checked TEXT NOT NULL, removed INTEGER NOT NULL,
	PRIMARY KEY (operation, line)) WITHOUT ROWID;
CREATE INDEX checks_target ON checks (target, checked, operation, removed);
`

// schemaOrders has the tables and indexes that are new in version 3; see [upgrade].
const schemaOrders = `
CREATE TABLE orders (
	target TEXT NOT NULL, number INTEGER NOT NULL, attributes TEXT NOT NULL, expires INTEGER,
	PRIMARY KEY (target, number)) WITHOUT ROWID;
CREATE INDEX orders_expires ON orders (expires) WHERE expires IS NOT NULL;
CREATE INDEX changes_orders ON changes (target) WHERE ` + orderSigns + `;
CREATE INDEX operations_last_change ON operations (last_change);
`

// schemaLinks has the table that is new in version 4; see [upgrade].
const schemaLinks = `CREATE TABLE gone (target TEXT PRIMARY KEY, change INTEGER NOT NULL) WITHOUT ROWID;`

// schemaKinds has the index that is new in version 6, see [upgrade]: it makes searches for rare kinds of operations
// fast.
const schemaKinds = `CREATE INDEX operations_kind ON operations (kind);`

// schemaDecisions has the index that is new in version 7, see [upgrade]: it makes decisions on proposals fast to find
// among the steps that only propose.
const schemaDecisions = `CREATE INDEX steps_decisions ON steps (kind, time) WHERE ` + isDecision + `;`

// schemaIndexes has the indexes of entries that [Tx.put] drops and makes again when it adds many entries.
const schemaIndexes = `
CREATE INDEX entries_place ON entries (place) WHERE place IS NOT NULL;
CREATE INDEX entries_expires ON entries (expires) WHERE expires IS NOT NULL;
CREATE INDEX entries_review ON entries (target) WHERE ` + hasReview + `;
`

const dropIndexes = `DROP INDEX entries_place; DROP INDEX entries_expires; DROP INDEX entries_review;`

// Conditions of partial indexes. A query must repeat them literally.
const (
	// isDecision is the condition for steps of the [DecisionKinds].
	isDecision = `kind IN ('` + StepCheck + `', '` + StepRefuse + `', '` + StepRefer + `', '` + StepWithdraw + `')`

	orderSigns = `sign IN ('&', '~')`
	hasReview  = `instr(attributes, ' review=') > 0`
)

// schemaVersion is the version of the schema, which the table meta has under metaVersion. Open upgrades an older ledger
// and refuses a newer one.
const schemaVersion = "7"

// Keys in the table meta that every ledger has.
const (
	metaVersion = "version"
	metaList    = "list"
)

// Access to a database: parameters of its URI.
const (
	readWrite = "mode=rw&_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(full)"
	immutable = "mode=ro&immutable=1"
)

// openDatabase opens a SQLite file. When a commit returns, its changes are on the disk. Readers never wait for a
// writer.
func openDatabase(path, access string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := "_pragma=busy_timeout(2000)&_pragma=cache_size(-65536)&_pragma=trusted_schema(off)&" + access
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: query}
	return sql.Open("sqlite", u.String())
}

// Create makes the ledger of a list in the folder dir, with its first operation. Then it calls the argument fill with
// the new ledger; the argument may be nil. Create writes to a temporary file, and renames this file at the end, so
// DatabaseFile is always complete.
func Create(ctx context.Context, dir, list string, a Audit, fill func(*Ledger) error) error {
	path := filepath.Join(dir, disk.TempPrefix+DatabaseFile)
	if err := disk.WriteFile(path, nil, disk.Inherit); err != nil { // SQLite gives its other files the mode of the database
		return err
	}
	db, err := openDatabase(path, readWrite)
	if err != nil {
		return err
	}
	l := &Ledger{View: View{q: db, list: list}, dir: dir, db: db}
	err = l.explain(fillDatabase(ctx, db, list, a))
	if err == nil && fill != nil {
		err = fill(l)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return errors.Join(fmt.Errorf("making the ledger in %s: %w", dir, err), disk.RemoveTemps(dir)) // the disk may be full
	}
	if err := os.Rename(path, filepath.Join(dir, DatabaseFile)); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

func fillDatabase(ctx context.Context, db *sql.DB, list string, a Audit) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta VALUES (?, ?), (?, ?)`, metaVersion, schemaVersion, metaList,
		list); err != nil {
		return err
	}
	first := Operation{
		ID: 1, Time: time.Now(), Author: a.Author, Kind: KindInit, Reason: a.Reason,
		ChangesHash: hashOfNothing, Digest: blocklist.Digest{}.String(),
	}
	first.Hash = first.LinkHash(InitialHash(list))
	if err := insertOperation(ctx, tx, first); err != nil {
		return err
	}
	return tx.Commit()
}

// hashOfNothing is the SHA-256 of no bytes.
const hashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
