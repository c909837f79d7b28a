package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// An officer's terminal has no session. A person with the right to sign makes a one-time code for the pending document.
// With the code, 'blocklist sign URL --code CODE' fetches the signing request and delivers the signature, and
// 'blocklist refuse' delivers a refusal. The code only gives access: it does not replace the signature.

// terminal returns the handler for requests from an officer's terminal. It checks the one-time code, calls the function
// do, and reports an error in plain text.
func (d *Desk) terminal(do func(http.ResponseWriter, *http.Request, *publish.Ledger, *code) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if d.sessions == nil && !d.fromProxy(r) {
			http.Error(w, errStranger.Error(), http.StatusForbidden)
			return
		}
		one, err := d.codes.find(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		err = d.ledger.use(func(l *publish.Ledger) error { return do(w, r, l, one) })
		if err != nil {
			d.Log.WarnContext(r.Context(), "officer's terminal failed", slog.String("path", r.URL.Path), slog.Any("error", err))
			http.Error(w, err.Error(), failureOf(err).status)
		}
	}
}

// isFor reports whether the code was made for the pending document p with exactly its present content.
func (c code) isFor(p *publish.Pending) bool {
	if p == nil {
		return false
	}
	id, err := p.ID()
	return err == nil && id == c.id
}

// pendingFor returns the pending document for which a code was made. It fails if another document is pending now, or if
// the content has changed since.
func pendingFor(ctx context.Context, l *publish.Ledger, one *code) (p *publish.Pending, err error) {
	if one.Urgent {
		p, err = l.PendingUrgent(ctx)
	} else {
		p, err = l.Pending()
	}
	if errors.Is(err, publish.ErrNothingPending) || err == nil && !one.isFor(p) {
		err = fmt.Errorf("%w: the code is for %s as it was: that was signed, refused or replaced since; the desk makes another code",
			publish.ErrNothingPending, one.what)
		err = l.WhyDropped(ctx, one.what, err)
	}
	return p, err
}

// checkOf fails if a signature or refusal is about another document than p.
func checkOf(text []byte, p *publish.Pending) error {
	var of struct {
		Root   int64
		Serial uint64
		Urgent int64
	}
	if json.Unmarshal(text, &of) == nil && (of.Root != p.Root || of.Serial != p.Serial || of.Urgent != p.Number) {
		return fmt.Errorf("%w: the code is for %s, and this is about something else", blocklist.ErrUntrusted, p.What())
	}
	return nil
}

func (d *Desk) terminalRequest(w http.ResponseWriter, r *http.Request, l *publish.Ledger, one *code) error {
	p, err := pendingFor(r.Context(), l, one)
	if err != nil {
		return err
	}
	return writeRequest(r.Context(), w, l, p, one.recipients)
}

func (d *Desk) terminalSignature(w http.ResponseWriter, r *http.Request, l *publish.Ledger, one *code) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading the signature: %w: %w", blocklist.ErrMalformed, err)
	}
	p, err := pendingFor(r.Context(), l, one)
	if err == nil {
		err = checkOf(text, p)
	}
	if err != nil {
		return err
	}
	signer, err := bring(r.Context(), l, text)
	if err != nil {
		return err
	}
	d.codes.use(one, signer)
	d.Log.InfoContext(r.Context(), "signature or refusal brought by a terminal", slog.String("for", one.what), slog.String("code_of", one.author))
	_, err = fmt.Fprintf(w, "%s: the answer is there\n", one.what)
	return err
}
