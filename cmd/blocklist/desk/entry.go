package desk

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/report"
)

// entryPage has the history of a target, and of the targets that cover it.
type entryPage struct {
	Of         string
	Verdict    verdict
	Own, Cover []*entryState
	Around     *around // what the list says about the target; nil: the target is in force, or is malformed
}

// entryState is the history of one target, newest first, with its standing orders.
type entryState struct {
	*publish.EntryHistory
	Standing []blocklist.Entry // standing orders of the target
}

func (v *visit) entry() error {
	p := entryPage{Of: v.r.URL.Query().Get("of")}
	all, err := v.ledger.EntryHistory(v.r.Context(), canonical(p.Of))
	if err != nil {
		return err
	}
	p.Verdict = v.verdict(all)
	if e, err := proposal.ParseTarget(p.Of); err == nil && !p.Verdict.Effect.InForce() {
		a, err := v.around(e)
		if err != nil {
			return err
		}
		p.Around = &a
	}
	for _, h := range all {
		s := &entryState{EntryHistory: h}
		slices.Reverse(h.Events)
		if h.Listed {
			if s.Standing, err = v.ledger.Orders(v.r.Context(), h.Target); err != nil {
				return err
			}
		}
		if h.Covers {
			p.Cover = append(p.Cover, s)
		} else {
			p.Own = append(p.Own, s)
		}
	}
	if err = v.show("entry", "entry.title", p); err == nil && p.Verdict.Problem != "" {
		v.answer.lasts = clockFor
	}
	return err
}

// entryPage shows the history of an entry as a page to print.
func (v *visit) entryPage() error {
	o := v.reportOptions()
	var b bytes.Buffer
	if err := report.Entry(v.r.Context(), &b, v.ledger, v.r.URL.Query().Get("of"), o); err != nil {
		return err
	}
	return v.showReport(b.Bytes(), o.Language)
}

// reportOptions returns the options for printed pages. If the receipts can't be read, the pages say so.
func (v *visit) reportOptions() report.Options {
	language, _ := v.view()
	o := report.Options{Language: language.Language, Program: v.Program, Deadline: v.Deadline}
	if v.Receipts != nil {
		var said read
		said, o.Unread = v.readReceipts(v.r.Context())
		o.Receipts = said.Receipts
	}
	return o
}

// showReport sends a page that package report has made. The page contains its style sheet, so the
// Content-Security-Policy allows that style sheet by its hash.
func (v *visit) showReport(page []byte, language string) error {
	_, rest, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	v.give(&answer{http.StatusOK, http.Header{
		"Content-Security-Policy": {fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			base64.StdEncoding.EncodeToString(sum[:]))},
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Language": {language},
	}, page, fresh})
	return nil
}
