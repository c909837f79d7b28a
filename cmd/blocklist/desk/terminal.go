package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// An officer's terminal has no session here. A person who may sign makes a one-time code for what is pending; with it,
// 'blocklist sign URL --code CODE' fetches the request, and brings the signature. The code only lets the terminal in:
// what counts is the signature.

// Limits of codes.
const (
	codeLasts = 15 * time.Minute
	maxCodes  = 100
	maxUpload = 1 << 20 // of files with signatures
)

// code lets an officer's terminal read one request, and bring one signature.
type code struct {
	Text       string
	Until      time.Time
	Urgent     bool
	what       string // that is pending
	recipients []string
	author     string
}

// codes are those that have not been used.
type codes struct {
	mu  sync.Mutex
	all map[string]*code
}

// add makes a code.
func (c *codes) add(made code) *code {
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, one := range c.all {
		if time.Now().After(one.Until) || len(c.all) >= maxCodes {
			delete(c.all, text)
		}
	}
	text := rand.Text()[:20]
	made.Text, made.Until = text[:5]+"-"+text[5:10]+"-"+text[10:15]+"-"+text[15:], time.Now().Add(codeLasts)
	if c.all == nil {
		c.all = map[string]*code{}
	}
	c.all[made.Text] = &made
	return &made
}

// find returns a code that still counts, nil if there is none.
func (c *codes) find(r *http.Request) *code {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.all[strings.ToUpper(text)]
	if !ok || one == nil || time.Now().After(one.Until) {
		return nil
	}
	return one
}

// use ends a code.
func (c *codes) use(one *code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, one.Text)
}

// makeCode shows a one-time code for an officer's terminal.
func (v *visit) makeCode() error {
	asked, err := v.asked()
	if err != nil {
		return err
	}
	if err := writeRequest(v.r.Context(), io.Discard, v.ledger, asked, v.recipients()); err != nil {
		return err // rather here than in the officer's terminal
	}
	made := v.codes.add(code{
		Urgent: asked.Number > 0, what: asked.What(), recipients: v.recipients(), author: v.person.Name,
	})
	if made.Urgent {
		p, err := v.urgentPage()
		if err != nil {
			return err
		}
		p.Code = made
		return v.show("urgent", "urgent.title", p)
	}
	p, err := v.pendingPage()
	if err != nil {
		return err
	}
	p.Code = made
	return v.show("pending", "pending.title", p)
}

// writeRequest writes a signing request, by way of memory, so that an error is an answer of its own. If w is an answer,
// it is a file to be saved.
func writeRequest(ctx context.Context, w io.Writer, l *publish.Ledger, p *publish.Pending, recipients []string) error {
	var b bytes.Buffer
	if err := l.WriteRequest(ctx, &b, p, recipients...); err != nil {
		return err
	}
	if answer, ok := w.(http.ResponseWriter); ok {
		name := strings.NewReplacer("/", "-", " ", "-").Replace(p.What())
		if len(recipients) > 0 {
			name += ".age"
		} else {
			name += ".tar"
		}
		answer.Header().Set("Content-Type", "application/octet-stream")
		answer.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, name))
		answer.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	}
	_, err := b.WriteTo(w)
	return err
}

// terminal answers an officer's terminal, in plain text.
func (d *Desk) terminal(do func(http.ResponseWriter, *http.Request, *publish.Ledger, *code) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if d.sessions == nil && !d.fromProxy(r) {
			http.Error(w, errStranger.Error(), http.StatusForbidden)
			return
		}
		one := d.codes.find(r)
		if one == nil {
			http.Error(w, "the code is not known, was used, or has expired; the desk makes another one", http.StatusUnauthorized)
			return
		}
		err := d.ledger.use(func(l *publish.Ledger) error { return do(w, r, l, one) })
		if err != nil {
			d.Log.WarnContext(r.Context(), "officer's terminal failed", slog.String("path", r.URL.Path), slog.Any("error", err))
			http.Error(w, err.Error(), failureOf(err).status)
		}
	}
}

// pendingFor returns what a code was made for. It fails if something else is pending now.
func pendingFor(ctx context.Context, l *publish.Ledger, one *code) (p *publish.Pending, err error) {
	if one.Urgent {
		p, err = l.PendingUrgent(ctx)
	} else {
		p, err = l.Pending()
	}
	if err == nil && p.What() != one.what {
		err = fmt.Errorf("%w: the code is for %s, and %s is pending", publish.ErrNothingPending, one.what, p.What())
	}
	return p, err
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
	if err := bring(r.Context(), l, text); err != nil {
		return err
	}
	d.codes.use(one)
	d.Log.InfoContext(r.Context(), "signature brought by a terminal", slog.String("for", one.what), slog.String("code_of", one.author))
	_, err = fmt.Fprintf(w, "%s: the signature is there\n", one.what)
	return err
}
