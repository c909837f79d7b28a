package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Refuse drops the root, release or urgent orders p, with all signatures on p. [Ledger.Pending], [Ledger.PendingUrgent]
// or [Ledger.Unreadable] has returned p. The ledger records the refusal and the officer's signature on it, with the
// officer as the author. The reason in c is required. The entries of the ledger don't change, so another release can be
// made; if an officer has signed p, that release gets another serial, see [Skipped].
//
// The first root can't be refused. Neither can a release that was sent to an origin that has not answered, because it
// may be public. Refuse fails with [blocklist.ErrUntrusted] if the key is not that of an officer of the root in force.
func (l *Ledger) Refuse(ctx context.Context, p *Pending, officer crypto.Signer, c Audit) error {
	if err := p.check(); err != nil {
		return err
	}
	if officer == nil {
		return fmt.Errorf("refusing %s: %w: there is no key", p.What(), blocklist.ErrMalformed)
	}
	root, err := l.root()
	if err != nil && p.Root != 1 {
		return err
	}
	r, err := p.refuse(root, officer, c)
	if err != nil {
		return fmt.Errorf("refusing %s: %w", p.What(), err)
	}
	return l.drop(ctx, p, r.drop())
}

// Refuse returns an officer's signed refusal of the requested document, as a file for [Ledger.AddRefusal]. It fails
// like [Ledger.Refuse].
func (q *Request) Refuse(officer crypto.Signer, c Audit) ([]byte, error) {
	if officer == nil {
		return nil, fmt.Errorf("refusing: %w: there is no key", blocklist.ErrMalformed)
	}
	p := q.pending
	root := p.root
	if p.before != nil {
		root = p.before
	}
	r, err := p.refuse(root, officer, c)
	if err != nil {
		return nil, fmt.Errorf("refusing %s: %w", p.What(), err)
	}
	text, err := json.MarshalIndent(detachedRefusal{detachedRefusalType, p.Root, p.Serial, p.Number, r.refusal, r.signature}, "", "  ")
	return append(text, '\n'), err
}

// AddRefusal drops the pending root, release or urgent orders, as [Ledger.Refuse] does, with the refusal in a file of
// [Request.Refuse]. It returns the name of the refused document. Adding the same refusal again changes nothing.
// AddRefusal fails with [blocklist.ErrUntrusted] if the refusal is about another document, such as an earlier state of
// the release.
func (l *Ledger) AddRefusal(ctx context.Context, file []byte) (what string, err error) {
	var d detachedRefusal
	if err := json.Unmarshal(file, &d); len(file) > MaxSignature || err != nil || d.Type != detachedRefusalType {
		return "", fmt.Errorf("reading a refusal: %w: it is no file of blocklist refuse -o", blocklist.ErrMalformed)
	}
	named := &Pending{List: d.Refusal.List, Root: d.Root, Serial: d.Serial, Number: d.Urgent}
	if err := l.addRefusal(ctx, named, signedRefusal{d.Refusal, d.Signature}); err != nil {
		return "", fmt.Errorf("refusing %s: %w", named.What(), err)
	}
	return named.What(), nil
}

func (l *Ledger) addRefusal(ctx context.Context, named *Pending, r signedRefusal) error {
	root, err := l.root()
	if err != nil {
		return err
	}
	if !r.by(root) || r.List != l.list {
		return fmt.Errorf("%w: no officer of %s has signed it; they are %s", blocklist.ErrUntrusted, l.list,
			strings.Join(names(root.Spec().Officers), ", "))
	}
	for o, err := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindRefuse}}) {
		if err != nil || o.Reference == r.proof() {
			return err // the second time changes nothing
		}
	}
	p, err := l.Pending()
	if named.Number > 0 {
		p, err = l.PendingUrgent(ctx)
	}
	if err != nil {
		return err
	}
	if p.What() != named.What() {
		return fmt.Errorf("%w: %s is pending; ask for a new request", blocklist.ErrUntrusted, p.What())
	}
	return l.drop(ctx, p, r.drop())
}

// dropping says how the ledger records that a pending document was dropped.
type dropping struct {
	kind    string
	id      string // ID of the document, see [Pending.ID]
	skipped Phrase // reason of the operation that skips the serial of a signed release
	by      Audit
}

// drop returns how the ledger records that a pending document was dropped because of this refusal.
func (r signedRefusal) drop() dropping {
	by := Audit{Author: r.Author, Reason: r.Reason, Reference: r.proof()}
	return dropping{KindRefuse, r.SHA256, skippedRefused.Phrase, by}
}

// drop records that p was dropped, and removes p.
func (l *Ledger) drop(ctx context.Context, p *Pending, d dropping) error {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.checkUnchanged(); err != nil {
		return fmt.Errorf("dropping it: %w", err)
	}
	if id, err := p.ID(); err != nil || id != d.id {
		return fmt.Errorf("%w: %s has changed since then; ask for a new request", blocklist.ErrUntrusted, p.What())
	}
	if p.IsRelease() || p.unreadable() {
		if err := l.checkSent(ctx, p); err != nil {
			return err
		}
	}
	err = l.history.RecordAll(ctx, func(record ledger.Recorder) error {
		if err := l.skip(record, p, d.by.Author, d.skipped.Text); err != nil {
			return err
		}
		return record(d.kind, d.by, nil)
	})
	if err != nil {
		return err
	}
	return p.remove()
}

// refusal is the text that an officer signs to refuse a pending document. Like all signed texts it has a type, so a
// signature on it is not valid for a text of another type.
type refusal struct {
	Type      string `json:"_type"`
	List      string `json:"list"`
	Author    string `json:"author"`
	Reason    string `json:"reason"`    // name of the refused document, and why it is refused
	Reference string `json:"reference"` // reference given by the officer
	SHA256    string `json:"sha256"`    // hash of the signed part of the refused metadata, see [Pending.ID]
}

const refusalType = "argine-refusal"

func (r refusal) bytes() ([]byte, error) { return json.Marshal(r) }

// signedRefusal is a refusal with the officer's signature.
type signedRefusal struct {
	refusal
	signature []byte
}

// detachedRefusal is the content of the file with an officer's signed refusal.
type detachedRefusal struct {
	Type      string  `json:"_type"`
	Root      int64   `json:"root,omitempty"`
	Serial    uint64  `json:"serial,omitempty"`
	Urgent    int64   `json:"urgent,omitempty"`
	Refusal   refusal `json:"refusal"`
	Signature []byte  `json:"signature"`
}

const detachedRefusalType = "argine-signed-refusal"

// refusalMark separates, in the reference of a refusal operation, the officer's reference (which may be empty) from the
// proof: the hash of the refused metadata and the signature.
const refusalMark = ledger.RefusalMark

// proof returns the reference of the operation that records the refusal: the officer's reference, then the hash and the
// signature.
func (r signedRefusal) proof() string {
	return strings.TrimPrefix(fmt.Sprintf("%s %s %s %s", r.Reference, refusalMark, r.SHA256,
		base64.StdEncoding.EncodeToString(r.signature)), " ")
}

// by reports whether the signature on the refusal is valid, and its author is an officer of the root.
func (r signedRefusal) by(root *trust.Root) bool {
	text, err := r.bytes()
	return err == nil && r.Type == refusalType && slices.ContainsFunc(root.Spec().Officers, func(k notekey.Key) bool {
		return k.Name == r.Author && ed25519.Verify(k.Public, text, r.signature)
	})
}

// ID returns the SHA-256 of the signed part of p, in hexadecimal. It does not change when officers sign, so it
// identifies the content of p. If p is unreadable, it is the SHA-256 of the whole file.
func (p *Pending) ID() (string, error) {
	if p.unreadable() {
		return fmt.Sprintf("%x", sha256.Sum256(p.metadata)), nil
	}
	return signedID(p.metadata)
}

// refuse returns a refusal of p, signed with the key of an officer of this root.
func (p *Pending) refuse(root *trust.Root, officer crypto.Signer, c Audit) (r signedRefusal, err error) {
	switch {
	case c.Reason == "":
		return r, fmt.Errorf("%w: a reason is needed", blocklist.ErrMalformed)
	case p.Root == 1:
		return r, fmt.Errorf("%w: there is no list without it; make a new folder with blocklist init", blocklist.ErrMalformed)
	}
	public, _ := officer.Public().(ed25519.PublicKey)
	i := slices.IndexFunc(root.Spec().Officers, notekey.Key{Public: public}.Equal)
	if i < 0 {
		return r, fmt.Errorf("%w: the key is not that of an officer; they are %s", blocklist.ErrUntrusted,
			strings.Join(names(root.Spec().Officers), ", "))
	}
	r.refusal = refusal{
		Type: refusalType, List: p.List, Author: root.Spec().Officers[i].Name,
		Reason: because(p.What(), c.Reason), Reference: c.Reference,
	}
	if err := (Audit{Author: r.Author, Reason: r.Reason, Reference: c.Reference}).Check(); err != nil {
		return r, err
	}
	if r.SHA256, err = p.ID(); err != nil {
		return r, err
	}
	text, err := r.bytes()
	if err == nil {
		r.signature, err = officer.Sign(rand.Reader, text, crypto.Hash(0))
	}
	return r, err
}

// verifyRefusals fails unless each refusal in the history was signed by its author, who must be an officer of some root
// of the list.
func (l *Ledger) verifyRefusals(ctx context.Context, view ledger.View) error {
	roots, err := l.rootHistory()
	if err != nil {
		return err
	}
	for o, err := range view.Operations(ctx, ledger.Range{Kinds: []string{KindRefuse}}) {
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(roots, func(root *trust.Root) bool { return l.refusedBy(root, o) }) {
			return ledger.Damaged("operation %d was not signed by %.64q, or is not what was signed", o.ID, o.Author)
		}
	}
	return nil
}

// refusedBy reports whether an officer of the root has signed the refusal that the operation o records.
func (l *Ledger) refusedBy(root *trust.Root, o Operation) bool {
	fields := strings.Split(o.Reference, " ")
	n := len(fields) - 3
	if n < 0 || fields[n] != refusalMark {
		return false
	}
	sig, err := base64.StdEncoding.DecodeString(fields[n+2])
	r := refusal{refusalType, l.list, o.Author, o.Reason, strings.Join(fields[:n], " "), fields[n+1]}
	return err == nil && signedRefusal{r, sig}.by(root)
}
