package desk

import (
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
)

// discardPath is the path of the form with which a pending release is discarded.
const discardPath = "/pending/discard"

// discardPage has the form with which a pending release is discarded, and what gets lost by that.
type discardPage struct {
	*publish.Pending
	ID     string // ID of the release, see [publish.Pending.ID]
	Reason string // reason, as it was typed
	Notice notice
}

// IsForm reports whether the page has the form itself.
func (p discardPage) IsForm() bool { return true }

// discardForm shows what gets lost if the pending release is discarded, and asks for the reason.
func (v *visit) discardForm() error {
	p, err := v.pendingRelease()
	if err != nil {
		return err
	}
	page := discardPage{Pending: p, Reason: v.value("reason"), Notice: v.draft().notice}
	if page.ID, err = p.ID(); err != nil {
		return err
	}
	return v.show("discard", "discard.title", page)
}

// pendingRelease returns the pending release. It fails with [publish.ErrNothingPending] if there is none.
func (v *visit) pendingRelease() (*publish.Pending, error) {
	p, err := v.ledger.Pending()
	if err == nil && !p.IsRelease() {
		err = publish.ErrNothingPending
	}
	return p, err
}

// discard discards the pending release of a sent form. It fails if another one is pending now, or if the release was
// signed since the form was shown: the person has not seen that this signature gets lost.
func (v *visit) discard() error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	p, err := v.pendingRelease()
	if err != nil {
		return err
	}
	switch id, err := p.ID(); {
	case err != nil:
		return err
	case id != v.r.PostForm.Get("id"):
		return publish.ErrMoved
	case v.value("reason") == "":
		return v.leadTo(discardPath, notice{Key: "discard.noreason"}, nil)
	case v.r.PostForm.Get("seen") != strings.Join(p.Signed, ", "):
		return v.leadTo(discardPath, notice{Key: "discard.signed"}, nil)
	}
	err = v.ledger.Discard(v.r.Context(), p, publish.Audit{Author: v.person.Name, Reason: v.value("reason")})
	return v.then(err, "/pending?"+doneQuery+"="+discardPath)
}

// Seen returns the officers whose signatures the page shows, as text.
func (p discardPage) Seen() string { return strings.Join(p.Signed, ", ") }
