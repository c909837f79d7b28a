package main

import (
	"context"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// maxShown is the maximum number of changed lines, findings or operations that are printed; further ones are only
// counted.
const maxShown = 20

// describe prints a summary of the pending root, release or urgent orders.
func (a *app) describe(p *publish.Pending) {
	a.printf("%s", p.What())
	if p.Number > 0 {
		a.describeOrders(p)
		return
	}
	a.printf("  valid until  %s", p.Expires.Format(time.DateOnly))
	if p.Root > 0 {
		for _, key := range p.Keys {
			a.printf("  officer      %s  %s", key.Fingerprint, key.Name)
		}
		a.printf("  fingerprint  %s", p.Fingerprint)
		a.printf("  threshold    %d", p.Threshold)
		if p.Threshold == 1 {
			a.printf("  warning      each officer alone can publish: one stolen key is enough")
		}
		a.printf("  origin       %s  %s", p.Online.Fingerprint, p.Online.Name)
		a.printf("  urgent       %s", p.Urgent)
		if p.Confidential {
			a.printf("  confidential encrypted to the subscribers of the list")
		}
		for _, change := range p.Changes {
			a.printf("  change       %s", change)
		}
	} else {
		a.printf("  entries      %s", thousands(p.Entries))
		a.printf("  digest       %s", p.Digest)
		a.printf("  ledger       %s", p.Ledger)
		if p.Override != "" {
			a.printf("  overridden   the guards held it; %s", p.Override)
		}
	}
	a.printf("  signatures   %s", signatures(p))
}

// describeOrders prints a summary of pending urgent orders.
func (a *app) describeOrders(p *publish.Pending) {
	left := strings.TrimSuffix(max(time.Until(p.Expires), 0).Round(time.Minute).String(), "0s")
	a.printf("  end          %s, in %s", p.Expires.Format(time.RFC3339), left)
	a.printf("  asked for by %s", whyText(p.Author, p.Reason, p.Reference))
	a.printf("  orders       %s afterwards", plural(uint64(len(p.Orders)), "entry", "entries"))
	for _, line := range p.Orders {
		a.printf("    %s", shortened(line, maxLine))
	}
	a.printf("  signatures   %s", signatures(p))
}

// printOperations prints author and reason of the operations in a release. The limit is the maximum number of printed
// lines.
func (a *app) printOperations(operations iter.Seq2[publish.Operation, error], limit int) error {
	var shown []string
	var n uint64
	for o, err := range operations {
		if err != nil {
			return err
		}
		if n++; len(shown) < limit {
			shown = append(shown, operationText(o))
		}
	}
	a.printf("  operations   %s", thousands(n))
	for _, line := range shown {
		a.printf("    %s", line)
	}
	if more := n - uint64(len(shown)); more > 0 {
		a.printf("    and %s more", thousands(more))
	}
	return nil
}

// printChanges prints the number of changes and the first [maxShown] of them. The argument all says where a person can
// see every change: the command that prints them, or the desk.
func (a *app) printChanges(changes iter.Seq2[blocklist.Change, error], all string) error {
	var added, removed uint64
	var shown []string
	show, done := a.progress("reading the changes: %s")
	for c, err := range changes {
		if err != nil {
			done()
			return err
		}
		if n := added + removed; show != nil && n > 0 && n%4096 == 0 {
			show(n)
		}
		if c.Removed {
			removed++
		} else {
			added++
		}
		if len(shown) < maxShown {
			shown = append(shown, changeLine(c))
		}
	}
	done()
	a.printf("  changes      %s, %s", plural(added, "line comes", "lines come"), plural(removed, "line goes", "lines go"))
	for _, line := range shown {
		a.printf("    %s", line)
	}
	if more := added + removed - uint64(len(shown)); more > 0 {
		a.printf("    and %s more; %s shows all, as it is signed", thousands(more), all)
	}
	return nil
}

// signatures returns the text about the signatures on pending metadata: who has signed, and how many must sign.
func signatures(p *publish.Pending) string {
	text := quorum(&p.Signatures)
	if p.Before != nil {
		text += "; of the root before: " + quorum(p.Before)
	}
	return text
}

func quorum(q *publish.Signatures) string {
	text := fmt.Sprintf("%d of %d signatures", len(q.Signed), q.Threshold)
	if len(q.Signed) > q.Threshold {
		text = fmt.Sprintf("%d signatures, %d needed", len(q.Signed), q.Threshold)
	}
	if len(q.Signed) > 0 {
		text += ", by " + strings.Join(q.Signed, ", ")
	}
	if !q.Enough() {
		text += fmt.Sprintf("; %d more needed, of %s", q.Threshold-len(q.Signed), strings.Join(q.Missing, ", "))
	}
	return text
}

// operationText returns an operation on one line, in columns: number, hash, time, kind, numbers of added and removed
// lines, and cause, see causeText.
func operationText(o publish.Operation) string {
	lines := fmt.Sprintf("+%s -%s", thousands(o.Added), thousands(o.Removed))
	return fmt.Sprintf("%-4d  %.12s  %s  %-11s  %-10s  %s", o.ID, o.Hash, o.Time.Format(time.RFC3339), o.Kind, lines, causeText(o))
}

// causeText returns the author, the reason and the reference of an operation as one text.
func causeText(o publish.Operation) string {
	return whyText(o.Author, o.Reason, publish.StatedReference(o))
}

// whyText returns author, reason and reference as one text.
func whyText(author, reason, reference string) string {
	text := shortened(author, maxField)
	if reason != "" {
		text += ": " + shortened(reason, maxReason)
	}
	if reference != "" {
		text += fmt.Sprintf(" [%s]", shortened(reference, maxField))
	}
	return text
}

// The maximum number of bytes of a text that are printed. --json has the whole text.
const (
	maxField  = 200 // limit for a name or a reference, such as the recipient of a subscriber
	maxReason = 1000
	maxLine   = 4000 // limit for an entry with its attributes
)

// changeLine returns a change as a shortened line, for output that people read.
func changeLine(c blocklist.Change) string { return shortened(changeText(c), maxLine) }

// shortened cuts a text after at most limit bytes, and adds the length of the rest.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	shown := strings.ToValidUTF8(text[:limit], "")
	return fmt.Sprintf("%s... (%s more bytes)", shown, thousands(uint64(len(text)-len(shown))))
}

// showPending prints the whole pending root, release or urgent orders to standard output. The function readers returns
// the recipients of a confidential list.
func (a *app) showPending(p *publish.Pending, operations iter.Seq2[publish.Operation, error],
	readers func() (publish.Recipients, error),
	changes iter.Seq2[blocklist.Change, error], asJSON bool,
) error {
	type pendingJSON struct {
		Pending *publish.Pending `json:"pending"`
	}
	type operationJSON struct {
		Operation publish.Operation `json:"operation"`
	}
	if asJSON {
		if err := a.printJSON(pendingJSON{p}); err != nil || p.Root > 0 {
			return err
		}
		wrap := func(o publish.Operation) operationJSON { return operationJSON{o} }
		if err := printAll(a, true, operations, wrap, operationText); err != nil {
			return err
		}
		return printAll(a, true, changes, changeToJSON, changeLine)
	}
	return a.paged(func() error {
		lines := &app{stderr: a.stdout} // what is said is data here
		lines.describe(p)
		if p.Root > 0 {
			return nil
		}
		if p.IsRelease() {
			if err := lines.printOperations(operations, math.MaxInt); err != nil {
				return err
			}
			if err := lines.printReaders(p, readers); err != nil {
				return err
			}
		}
		return printAll(a, false, changes, changeToJSON, changeLine)
	})
}

// printReaders prints who can read a pending release, if the list is confidential.
func (a *app) printReaders(p *publish.Pending, readers func() (publish.Recipients, error)) error {
	if !p.Confidential {
		return nil
	}
	r, err := readers()
	if err == nil {
		a.describeRecipients(r)
	}
	return err
}

// printFindings prints the findings of the guards, at most limit of them, and the number of the others.
func (a *app) printFindings(r guard.Report, limit int) {
	shown := r.Findings[:min(len(r.Findings), limit)]
	for _, f := range shown {
		a.printf("  %s", f.Line())
	}
	if more := r.Held + r.Reported - uint64(len(shown)); more > 0 {
		a.printf("  and %s more", thousands(more))
	}
}

// printResult prints the counts of a change, and what changed about the orders of entries. If withNew is set, it
// includes targets that were not listed before.
func (a *app) printResult(r publish.ChangeResult, withNew bool) {
	a.printOrders(r, withNew)
	text := fmt.Sprintf("%s added, %s changed, %s removed, %s as before", thousands(r.Added), thousands(r.Changed), thousands(r.Removed), thousands(r.Unchanged))
	if r.Joined > 0 {
		text += ", " + plural(r.Joined, "further order", "further orders")
	}
	if r.Withdrawn > 0 {
		text += fmt.Sprintf(", %s withdrawn from entries that stay", plural(r.Withdrawn, "order", "orders"))
	}
	a.printf("%s", text)
	a.printFindings(r.Guards, maxShown)
	for _, breach := range r.Breaches {
		a.printf("%s", breach)
	}
	if r.Broken > 0 {
		a.printf("%s left out, as the rules of the list say; blocklist rules shows them", plural(r.Broken, "entry", "entries"))
	}
}

// printNext prints the next step after signing, if enough officers have signed.
func (a *app) printNext(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	a.result(p)
	switch {
	case !p.Enough():
		return nil
	case p.Number > 0:
		a.next("blocklist -C %s urgent push ORIGIN", a.dir)
		return nil
	}
	s, err := l.Status(ctx)
	if err != nil {
		return err
	}
	for _, warning := range s.Warnings {
		a.printf("warning: %s", warning)
	}
	switch {
	case s.Pending != nil && !s.Pending.Enough():
		a.next("blocklist -C %s sign --key OFFICER.key", a.dir)
	case p.Serial > 0 || s.Released != nil:
		a.next("blocklist -C %s push ORIGIN", a.dir)
	default:
		a.next("the origin's operator runs blocklist origin trust ORIGIN %s", filepath.Join(a.dir, "root.json"))
	}
	return nil
}
