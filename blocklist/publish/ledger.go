package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the ledger's database

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// schema of the ledger. An entry is kept as its target and, with a space in front, its attributes: together the canonical
// line. Place and expires say nothing more; they are what a release finds entries by, see [place]. The changes of an
// operation are those behind the last change of the operation before, up to its own. Its checks have lines, in the order of
// its hash.
const schema = schemaHistory + schemaState

const schemaHistory = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE operations (
	id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
	reference TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL, last_change INTEGER NOT NULL,
	changes_hash TEXT NOT NULL, entries INTEGER NOT NULL, digest TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE changes (id INTEGER PRIMARY KEY, sign TEXT NOT NULL, target TEXT NOT NULL, attributes TEXT NOT NULL);
CREATE TABLE releases (serial INTEGER PRIMARY KEY, operation INTEGER NOT NULL, head TEXT NOT NULL, pushed TEXT NOT NULL);
`

// schemaState has what version 2 has changed; see [upgrade].
const schemaState = `
CREATE INDEX operations_hash ON operations (hash);
CREATE TABLE entries (target TEXT PRIMARY KEY, attributes TEXT NOT NULL, place TEXT, expires INTEGER) WITHOUT ROWID;
CREATE TABLE checks (
	operation INTEGER NOT NULL, line INTEGER NOT NULL, target TEXT NOT NULL, checked TEXT NOT NULL, removed INTEGER NOT NULL,
	PRIMARY KEY (operation, line)) WITHOUT ROWID;
CREATE INDEX checks_target ON checks (target, checked, operation, removed);
` + schemaIndexes

// schemaIndexes has the indexes that each entry may be in. For many entries they are made anew, see [operation.put].
const schemaIndexes = `
CREATE INDEX entries_place ON entries (place) WHERE place IS NOT NULL;
CREATE INDEX entries_expires ON entries (expires) WHERE expires IS NOT NULL;
CREATE INDEX changes_pages ON changes (target) WHERE ` + urlTargets + `;
`

const dropIndexes = `DROP INDEX entries_place; DROP INDEX entries_expires; DROP INDEX changes_pages;`

// schemaVersion is kept in meta. A ledger of an older version is upgraded when it is opened, one of a newer is not opened.
const schemaVersion = "2"

// Names in the agency's folder.
const (
	ledgerFile  = "ledger.db"
	lockFile    = "lock"
	rootFile    = "root.json"
	rootsDir    = "roots"
	pendingDir  = "pending"
	releasesDir = "releases"
	targetsFile = "targets.json"
	filesDir    = "files" // what the targets of the last release and of the pending one name
)

// Ledger is the history of a list, and the folder that it lives in.
type Ledger struct {
	dir  string
	list string
	db   *sql.DB
}

// Open opens the agency's folder dir, which [Init] has made.
func Open(dir string) (*Ledger, error) {
	path := filepath.Join(dir, ledgerFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w: there is no ledger in it; blocklist init makes one", dir, err)
	}
	db, err := openDatabase(path, "rw")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	l := &Ledger{dir: dir, db: db}
	if err := errors.Join(upgrade(context.Background(), db), l.readMeta()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return l, nil
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.db.Close() }

// List returns the name of the list.
func (l *Ledger) List() string { return l.list }

// openDatabase opens a SQLite file. A commit is on the disk when it returns; readers never wait for a writer.
func openDatabase(path, mode string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	options := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(2000)", "journal_mode(wal)", "synchronous(full)", "cache_size(-65536)", "trusted_schema(off)"},
	}
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: options.Encode()}
	return sql.Open("sqlite", u.String())
}

func (l *Ledger) readMeta() error {
	var version string
	err := l.db.QueryRow(`SELECT value FROM meta WHERE key = 'version'`).Scan(&version) //nolint:noctx // a key look-up
	if err == nil && version != schemaVersion {
		err = fmt.Errorf("%w: it is of version %q, this program knows %s", blocklist.ErrMalformed, version, schemaVersion)
	}
	if err != nil {
		return err
	}
	return l.db.QueryRow(`SELECT value FROM meta WHERE key = 'list'`).Scan(&l.list) //nolint:noctx // a key look-up
}

// lock makes this process the one that changes the folder, and finishes what an earlier one left half done.
func (l *Ledger) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := disk.Lock(filepath.Join(l.dir, lockFile))
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("changing %s: %w; try again when that has finished", l.dir, blocklist.ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	unlock = func() { lock.Close() } //nolint:errcheck // nothing was written to it
	if err := l.recover(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (l *Ledger) path(names ...string) string {
	return filepath.Join(append([]string{l.dir}, names...)...)
}
