package ledger

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"sync"
)

// Version identifies the content of a ledger at one moment. Two equal versions have the same content; different
// versions may, too.
type Version struct {
	connection uint64
	data       int64
}

// Version returns the version of the present content, as this process or another one has committed it. It costs some
// microseconds.
func (l *Ledger) Version(ctx context.Context) (Version, error) {
	v, err := l.watch.version(ctx, l.db)
	return v, l.explain(err)
}

// watch is a separate connection to the database. Its pragma data_version changes when another connection has committed
// a change.
type watch struct {
	mu        sync.Mutex
	conn      *sql.Conn
	statement *sql.Stmt
	number    uint64 // random; identifies the connection
}

func (w *watch) version(ctx context.Context, db *sql.DB) (v Version, err error) {
	ctx = context.WithoutCancel(ctx) // an interrupted connection might have to be opened again
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.statement == nil {
		if err := w.open(ctx, db); err != nil {
			return v, err
		}
	}
	v.connection = w.number
	if err = w.statement.QueryRowContext(ctx).Scan(&v.data); err != nil {
		err = errors.Join(err, w.closeLocked())
	}
	return v, err
}

func (w *watch) open(ctx context.Context, db *sql.DB) (err error) {
	if w.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	w.number = rand.Uint64() //nolint:gosec // it tells connections apart, and those of closed ledgers
	if w.statement, err = w.conn.PrepareContext(ctx, `PRAGMA data_version`); err != nil {
		err = errors.Join(err, w.closeLocked())
	}
	return err
}

func (w *watch) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closeLocked()
}

func (w *watch) closeLocked() error {
	conn := w.conn
	if w.conn, w.statement = nil, nil; conn == nil {
		return nil
	}
	return conn.Close()
}
