package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Refuse drops the root or release p, which [Ledger.Pending] has returned, with its signatures. The ledger records the
// officer, the reason, and the officer's signature over both. The reason in c is needed; the author is the officer's
// name. The entries of the ledger don't change, so another release can be made. The first root can't be refused, nor a
// release that was sent to an origin without an answer, because it may be public. Refuse fails with
// [blocklist.ErrUntrusted] unless the key is that of an officer of the root in force.
func (l *Ledger) Refuse(ctx context.Context, p *Pending, officer crypto.Signer, c Audit) error {
	if err := p.check(); err != nil {
		return err
	}
	if officer == nil {
		return fmt.Errorf("refusing %s: %w: there is no key", p.What(), blocklist.ErrMalformed)
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.checkUnchanged(); err != nil {
		return fmt.Errorf("refusing: %w", err)
	}
	switch {
	case c.Reason == "":
		return fmt.Errorf("refusing %s: %w: a reason is needed", p.What(), blocklist.ErrMalformed)
	case p.Root == 1:
		return fmt.Errorf("refusing %s: %w: there is no list without it; make a new folder with blocklist init", p.What(),
			blocklist.ErrMalformed)
	case p.Root == 0:
		if err := l.checkSent(ctx, p); err != nil {
			return fmt.Errorf("refusing %s: %w", p.What(), err)
		}
	}
	c.Reason = because(p.What(), c.Reason)
	if err := l.signRefusal(p, officer, &c); err != nil {
		return fmt.Errorf("refusing %s: %w", p.What(), err)
	}
	if err := l.history.Record(ctx, KindRefuse, c, nil); err != nil {
		return err
	}
	return errors.Join(os.Remove(p.path), disk.SyncDir(filepath.Dir(p.path)))
}

// refusal is the text that an officer signs to refuse. It has a type, as all signed texts have, so it can't be confused
// with another kind.
type refusal struct {
	Type      string `json:"_type"`
	List      string `json:"list"`
	Author    string `json:"author"`
	Reason    string `json:"reason"`    // what is refused, and why
	Reference string `json:"reference"` // of the caller, without the proof
	SHA256    string `json:"sha256"`    // of the refused metadata, with its signatures
}

const refusalType = "argine-refusal"

func (r refusal) bytes() ([]byte, error) { return json.Marshal(r) }

// refusalMark separates the reference of a refusal, which may be empty, from its proof: the hash and the signature.
const refusalMark = "refusal"

// signRefusal signs a refusal. It sets the author of c to the officer, and appends hash and signature to the reference.
func (l *Ledger) signRefusal(p *Pending, officer crypto.Signer, c *Audit) error {
	root, err := l.root()
	if err != nil {
		return err
	}
	public, _ := officer.Public().(ed25519.PublicKey)
	i := slices.IndexFunc(root.Spec().Officers, notekey.Key{Public: public}.Equal)
	if i < 0 {
		return fmt.Errorf("%w: the key is not that of an officer; they are %q", blocklist.ErrUntrusted,
			names(root.Spec().Officers))
	}
	c.Author = root.Spec().Officers[i].Name
	r := refusal{refusalType, l.list, c.Author, c.Reason, c.Reference, fmt.Sprintf("%x", sha256.Sum256(p.metadata))}
	text, err := r.bytes()
	if err != nil {
		return err
	}
	sig, err := officer.Sign(rand.Reader, text, crypto.Hash(0))
	c.Reference = strings.TrimPrefix(fmt.Sprintf("%s %s %s %s", c.Reference, refusalMark, r.SHA256,
		base64.StdEncoding.EncodeToString(sig)), " ")
	return err
}

// verifyRefusals fails unless each refusal was signed by an officer with its author's name, under any root of the list.
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

// refusedBy reports whether an officer of the root has signed the refusal in an operation.
func (l *Ledger) refusedBy(root *trust.Root, o Operation) bool {
	fields := strings.Split(o.Reference, " ")
	n := len(fields) - 3
	if n < 0 || fields[n] != refusalMark {
		return false
	}
	text, err := refusal{refusalType, l.list, o.Author, o.Reason, strings.Join(fields[:n], " "), fields[n+1]}.bytes()
	sig, errSig := base64.StdEncoding.DecodeString(fields[n+2])
	return err == nil && errSig == nil && slices.ContainsFunc(root.Spec().Officers, func(k notekey.Key) bool {
		return k.Name == o.Author && ed25519.Verify(k.Public, text, sig)
	})
}
