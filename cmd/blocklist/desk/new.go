package desk

import (
	"context"
	"errors"
	"html/template"
	"log/slog"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// New opens the agency's folder, and returns its desk.
func New(o Options) (*Desk, error) {
	d := &Desk{Options: o, ledger: opened{dir: o.Dir, prepare: o.Prepare}, busy: make(chan struct{}, atOnce)}
	d.receipts.limit = receiptsFor
	d.texts = newTexts()
	var err error
	if d.languages, err = readLanguages(); err != nil {
		return nil, err
	}
	if d.assets, err = readAssets(); err != nil {
		return nil, err
	}
	if d.views, err = newViews(d.languages, d.assets, pageFuncs()); err != nil {
		return nil, err
	}
	if o.UserHeader == "" {
		d.sessions = newSessions(o.Link)
	}
	if err := d.ledger.open(); err != nil {
		return nil, err
	}
	if d.sessions != nil {
		d.sessions.newLink()
	}
	d.handler = d.secured(d.routes())
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go d.readTexts(ctx)
	return d, nil
}

// readTexts reads the texts for searches in advance. It logs an error.
func (d *Desk) readTexts(ctx context.Context) {
	err := d.ledger.use(func(l *publish.Ledger) error { return d.texts.read(ctx, l) })
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "the texts for the search can't be read", slog.Any("error", err))
	}
}

// pageFuncs returns the template functions that only some pages use.
func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"confirmed": confirmedBy, "multiple": confirmsMany,
		"nav": navigation, "signing": newSigning, "by": newHeader, "tabs": tabs, "proposaltabs": proposalTabs,
		"already": func(err error) bool { return errors.Is(err, proposal.ErrAlready) }, "mark": markField, "verbkey": verbKey,
	}
}
