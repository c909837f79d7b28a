package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// How long signed metadata lasts. An expired root or release is still enforced by subscribers, but reported as stale.
const (
	rootLifetime    = 3 * 365 * 24 * time.Hour
	releaseLifetime = 365 * 24 * time.Hour
	// renewBefore is how long before its expiry a release may be made again although nothing has changed.
	renewBefore = 90 * 24 * time.Hour
)

// InitOptions say what a new list is. All but Urgent and Confidential are needed. Keys are public keys as text, the content of a .pub file.
type InitOptions struct {
	List      string       // such as it.example/csam
	OriginKey string       // the online key of the origin that will serve the list
	Officers  []string     // who may sign
	Threshold int          // how many of them must
	Urgent    UrgentLimits // what one of them may list alone
	// Confidential lists are encrypted to subscribers, see [Ledger.AddSubscriber]. Neither origin nor mirrors see an entry.
	Confidential bool
	Author       string // who makes it
}

// Init makes the agency's folder dir, which must be empty or not there and becomes its owner's alone, with an empty ledger and the list's root, which
// waits for the officers' signatures.
func Init(ctx context.Context, dir string, o InitOptions) error {
	spec := trust.RootSpec{List: o.List, Version: 1, Expires: lifetime(rootLifetime), Threshold: o.Threshold, Urgent: trust.Urgent(o.Urgent), Confidential: o.Confidential}
	var err error
	if spec.Online, err = notekey.Parse(o.OriginKey); err != nil {
		return fmt.Errorf("reading the origin's key: %w", err)
	}
	for _, text := range o.Officers {
		key, err := notekey.Parse(text)
		if err != nil {
			return fmt.Errorf("reading an officer's key: %w", err)
		}
		spec.Officers = append(spec.Officers, key)
	}
	root, err := trust.NewRoot(spec)
	if err != nil {
		return err
	}
	cause := Audit{Author: o.Author, Reason: fmt.Sprintf("%s, signed by %d of %d officers", o.List, o.Threshold, len(o.Officers))}
	if err := cause.check(); err != nil {
		return err
	}
	if err := makeEmpty(dir); err != nil {
		return err
	}
	for _, name := range []string{rootsDir, pendingDir, releasesDir, filesDir} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	if err := disk.WriteFile(filepath.Join(dir, pendingDir, trust.RootName(1)), root, 0o644); err != nil {
		return err
	}
	return createLedger(ctx, dir, o.List, cause)
}

// lifetime returns the end of a lifetime that begins now, in whole seconds as metadata has it.
func lifetime(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Second) }

// makeEmpty makes the folder, for its owner alone: a ledger has in the clear what a confidential list encrypts.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("making a ledger in %s: %w; name an empty or a new folder", dir, errNotEmpty)
	}
	return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs to be searched, by its owner alone
}

var errNotEmpty = errors.New("the folder is not empty")

// createLedger makes the database under a temporary name: when it has its own, the folder is complete.
func createLedger(ctx context.Context, dir, list string, c Audit) error {
	path := filepath.Join(dir, disk.TempPrefix+ledgerFile)
	if err := os.WriteFile(path, nil, 0o600); err != nil { // SQLite gives its other files the mode of the database
		return err
	}
	db, err := openDatabase(path, "rw")
	if err != nil {
		return err
	}
	if err := errors.Join(fillLedger(ctx, db, list, c), db.Close()); err != nil {
		return fmt.Errorf("making the ledger %s: %w", path, err)
	}
	if err := os.Rename(path, filepath.Join(dir, ledgerFile)); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

func fillLedger(ctx context.Context, db *sql.DB, list string, c Audit) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta VALUES ('version', ?), ('list', ?)`, schemaVersion, list); err != nil {
		return err
	}
	first := Operation{
		ID: 1, Time: time.Now(), Author: c.Author, Kind: KindInit, Reason: c.Reason,
		ChangesHash: hashOfNothing, Digest: blocklist.Digest{}.String(),
	}
	first.Hash = first.chain(genesis(list))
	if err := insertOperation(ctx, tx, first); err != nil {
		return err
	}
	return tx.Commit()
}

// hashOfNothing is the SHA-256 of no bytes.
const hashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
