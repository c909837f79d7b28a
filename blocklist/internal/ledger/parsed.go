package ledger

import (
	"context"
	"database/sql"
	"sync"
)

// maxParsed is the maximum number of prepared statements that a database keeps. The programs use far fewer different
// queries.
const maxParsed = 256

// parsed is a database that keeps each query as a prepared statement. For a short query, preparing takes longer than
// running.
type parsed struct {
	db *sql.DB

	mu  sync.RWMutex
	all map[string]*sql.Stmt
}

func newParsed(db *sql.DB) *parsed { return &parsed{db: db, all: map[string]*sql.Stmt{}} }

// QueryContext implements [querier].
func (p *parsed) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, text)
	if s == nil || err != nil {
		return p.db.QueryContext(ctx, text, args...)
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext implements [querier].
func (p *parsed) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	s, err := p.statement(ctx, text)
	if s == nil || err != nil {
		return p.db.QueryRowContext(ctx, text, args...) // an error is in the row
	}
	return s.QueryRowContext(ctx, args...)
}

// statement returns the prepared statement of a query, or nil if there are maxParsed others already. The statements are
// closed with the database.
func (p *parsed) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	p.mu.RLock()
	s, n := p.all[text], len(p.all)
	p.mu.RUnlock()
	if s != nil || n >= maxParsed {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.all[text]; other != nil {
		return other, s.Close()
	}
	p.all[text] = s
	return s, nil
}
