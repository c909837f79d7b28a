package desk

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// searchPage is what was found for a text, of each kind.
type searchPage struct {
	Text       string
	Operation  *publish.ShownOperation // with this number or hash
	Targets    []*publish.EntryHistory // that say it, or cover it
	Below      []blocklist.Entry
	Begin      []blocklist.Entry // that begin with it
	References []publish.LoggedOperation
	Authors    []publish.LoggedOperation
}

// Nothing reports whether nothing was found.
func (p searchPage) Nothing() bool {
	return p.Operation == nil && len(p.Targets)+len(p.Below)+len(p.Begin)+len(p.References)+len(p.Authors) == 0
}

// foundLength is how many results of each kind a search has.
const foundLength = 20

// maxSearch is the maximum length of the text of a search.
const maxSearch = 2 << 10

func (v *visit) search() error {
	p := searchPage{Text: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	if p.Text == "" || len(p.Text) > maxSearch {
		return v.show("search", "search.title", p)
	}
	for _, find := range []func(context.Context, *publish.Ledger) error{p.findOperation, p.findTargets, p.findBeginning} {
		if err := find(v.r.Context(), v.ledger); err != nil {
			return err
		}
	}
	var err error
	pattern := "*" + strings.ReplaceAll(p.Text, "*", "") + "*"
	if p.References, err = v.log(publish.LogFilter{Reference: pattern, Last: foundLength}); err != nil {
		return err
	}
	if p.Authors, err = v.log(publish.LogFilter{Author: p.Text, Last: foundLength}); err != nil {
		return err
	}
	return v.show("search", "search.title", p)
}

func (p *searchPage) findOperation(ctx context.Context, l *publish.Ledger) error {
	o, err := l.Operation(ctx, strings.TrimPrefix(p.Text, "#"))
	switch {
	case errors.Is(err, publish.ErrNoOperation), errors.Is(err, blocklist.ErrMalformed):
		return nil
	case err == nil:
		p.Operation = &o
	}
	return err
}

// findTargets finds the targets that say the text, that cover it, and that lie below it.
func (p *searchPage) findTargets(ctx context.Context, l *publish.Ledger) error {
	all, err := l.EntryHistory(ctx, p.Text)
	if errors.Is(err, blocklist.ErrMalformed) || errors.Is(err, blocklist.ErrTooLarge) {
		return nil // it is no target
	}
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.Listed || len(h.Events) > 0 {
			p.Targets = append(p.Targets, h)
		}
	}
	name, addr, err := blocklist.ParseHost(strings.TrimPrefix(p.Text, "="))
	if err != nil || addr.IsValid() {
		return nil //nolint:nilerr // nothing lies below it
	}
	p.Below, err = first(l.EntriesUnder(ctx, name, foundLength))
	return err
}

func (p *searchPage) findBeginning(ctx context.Context, l *publish.Ledger) (err error) {
	p.Begin, err = first(l.EntriesIn(ctx, publish.EntryRange{From: p.Text, Before: p.Text + afterAll, Most: foundLength}))
	return err
}

// first returns the values of an iterator.
func first(all iter.Seq2[blocklist.Entry, error]) (values []blocklist.Entry, err error) {
	for e, err := range all {
		if err != nil {
			return nil, err
		}
		values = append(values, e)
	}
	return values, nil
}
