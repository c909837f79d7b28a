package publish

import (
	"archive/tar"
	"crypto"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Request is a signing request that was read and verified: its roots follow from the officer's root, the last release
// was signed under one of them, and the operations lead from the head of that release to the head of the pending one.
type Request struct {
	folder  folder // a temporary one
	pending *Pending
	history requestHistory
}

// Limits of a request. The request of a first release contains the whole list.
const (
	maxRequest      = 8 << 30
	maxRequestParts = 1000
)

// OpenRequest reads and verifies a signing request. Root is a root of the list that the officer trusts, the content of
// a root.json. It may be empty only if the request is for the first root; then people compare [Pending.Fingerprint] by
// voice. OpenRequest fails with [blocklist.ErrUntrusted] if the request is of another list, or if its roots don't
// follow from root. The caller closes the request.
func OpenRequest(r io.Reader, root []byte) (*Request, error) {
	dir, err := os.MkdirTemp("", "blocklist-request-")
	if err != nil {
		return nil, err
	}
	q := &Request{folder: folder{dir: dir}}
	if err := unpackRequest(r, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the request: %w", err), q.Close())
	}
	if err := q.verify(root); err != nil {
		return nil, errors.Join(fmt.Errorf("verifying the request: %w", err), q.Close())
	}
	return q, nil
}

// Close removes the temporary folder of the request.
func (q *Request) Close() error { return os.RemoveAll(q.folder.dir) }

// Pending returns the root or release to be signed.
func (q *Request) Pending() *Pending { return q.pending }

// Operations returns the operations of a release, oldest first.
func (q *Request) Operations() []Operation { return q.history.operations }

// Review yields the changes of a release, as [Ledger.Review] does. The last value may be an error.
func (q *Request) Review() iter.Seq2[blocklist.Change, error] { return q.folder.Review(q.pending) }

// requestNames matches the paths that a request may contain.
var requestNames = regexp.MustCompile(`^(roots/[0-9]+\.root\.json|releases/[0-9]+/targets\.json|pending/release/targets\.json|` +
	`pending/[0-9]+\.root\.json|files/[A-Za-z0-9][A-Za-z0-9._-]*|operations\.txt)$`)

// unpackRequest writes the files of a request below dir.
func unpackRequest(r io.Reader, dir string) error {
	tr := tar.NewReader(io.LimitReader(r, maxRequest))
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: it is no signing request: %w", blocklist.ErrMalformed, err)
		}
		switch {
		case n == 0:
			err = checkRequestMark(h, tr)
		case n > maxRequestParts:
			err = fmt.Errorf("%w: it has more than %d parts", blocklist.ErrTooLarge, maxRequestParts)
		case h.Typeflag != tar.TypeReg || !requestNames.MatchString(h.Name):
			err = fmt.Errorf("%w: %.80q does not belong into a request", blocklist.ErrMalformed, h.Name)
		default:
			err = unpackPart(tr, filepath.Join(dir, filepath.FromSlash(h.Name)))
		}
		if err != nil {
			return err
		}
	}
}

func checkRequestMark(h *tar.Header, r io.Reader) error {
	version, err := io.ReadAll(io.LimitReader(r, 16))
	switch {
	case err != nil:
		return err
	case h.Name != requestMark:
		return fmt.Errorf("%w: it is no signing request", blocklist.ErrMalformed)
	case string(version) != requestVersion:
		return fmt.Errorf("%w: it is of version %.8q, this program knows %q", blocklist.ErrMalformed, version, strings.TrimSpace(requestVersion))
	}
	return nil
}

func unpackPart(r io.Reader, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s is there twice", blocklist.ErrMalformed, filepath.Base(to))
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// verify replaces the request's copy of the officer's root by the officer's own, and verifies everything that follows
// from it.
func (q *Request) verify(trusted []byte) error {
	if _, err := os.Stat(q.folder.pendingRootPath(1)); len(trusted) == 0 && err != nil {
		return fmt.Errorf("%w: the list's root is needed; --root names its file", blocklist.ErrUntrusted)
	}
	if len(trusted) > 0 {
		root, err := trust.ParseRoot(trusted)
		if err != nil {
			return err
		}
		q.folder.list, q.folder.firstRoot = root.Spec().List, root.Version()
		if err := q.trustRoot(root, trusted); err != nil {
			return err
		}
	}
	p, err := q.folder.Pending()
	if errors.Is(err, ErrNothingPending) {
		return fmt.Errorf("%w: nothing to be signed is in it that follows from the given root", blocklist.ErrUntrusted)
	}
	if err != nil {
		return err
	}
	switch {
	case len(trusted) == 0 && p.Root != 1:
		return fmt.Errorf("%w: it is no request of a first root; --root is needed", blocklist.ErrUntrusted)
	case len(trusted) > 0 && p.List != q.folder.list:
		return fmt.Errorf("%w: it is about %q, the root is of %q", blocklist.ErrUntrusted, p.List, q.folder.list)
	}
	q.pending = p
	if p.Root > 0 {
		return nil
	}
	return q.verifyHistory()
}

// trustRoot makes the officer's root the first one of the folder. The newest root that follows from it comes into
// force.
func (q *Request) trustRoot(root *trust.Root, b []byte) error {
	place := q.folder.path(rootsDir, trust.RootName(root.Version()))
	if sent, err := os.ReadFile(place); err == nil {
		if other, err := trust.ParseRoot(sent); err == nil && other.ID() != root.ID() {
			return fmt.Errorf("%w: its root %d is another one (%s) than the given one (%s)", blocklist.ErrUntrusted, root.Version(), fingerprint(other), fingerprint(root))
		}
	}
	waiting, err := os.ReadFile(q.folder.pendingRootPath(root.Version()))
	if first, parsed := trust.ParseRoot(waiting); err == nil && parsed == nil && first.ID() == root.ID() {
		q.folder.firstRoot = 0 // the officer has the first root, which is pending here
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(place, b, 0o600); err != nil {
		return err
	}
	roots, err := q.folder.rootHistory()
	if err != nil {
		return err
	}
	newest, err := os.ReadFile(q.folder.path(rootsDir, trust.RootName(roots[len(roots)-1].Version())))
	if err != nil {
		return err
	}
	return os.WriteFile(q.folder.path(rootFile), newest, 0o600)
}

// verifyHistory proves that the operations lead from the last release to the pending one.
func (q *Request) verifyHistory() error {
	f, err := os.Open(q.folder.path(operationsFile))
	if err != nil {
		return fmt.Errorf("%w: the operations are missing: %w", blocklist.ErrUntrusted, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if q.history, err = readOperations(f); err != nil {
		return err
	}
	at, rest, err := q.begin()
	if err != nil {
		return err
	}
	n := 0
	err = q.pending.follow(at, eachOperation(rest), func(Operation) bool { n++; return true })
	if err == nil && n != len(rest) {
		err = ledger.Damaged("operations: some are behind the head of %s", q.pending.What())
	}
	return err
}

// begin returns the operation whose state the last release has, and those that follow it. Only a recovery of that state
// may come without its lines.
func (q *Request) begin() (at Operation, rest []Operation, err error) {
	rest = q.history.operations
	if q.pending.Serial == 1 {
		at.Hash = ledger.InitialHash(q.pending.List)
		return at, rest, nil
	}
	before, err := q.folder.signedBefore(q.pending)
	if err != nil || len(rest) == 0 {
		return at, rest, err
	}
	signed := before.targets.Newest()
	switch {
	case adopts(rest[0], signed):
		return rest[0], rest[1:], rest[0].CheckText()
	case withoutLines(rest[0], ledger.ChangesProof{}):
		return at, nil, ledger.Damaged("operation %d has adopted another state than that of serial %d", rest[0].ID, signed.Serial)
	}
	at.Hash = signed.Ledger
	at.ID = rest[0].ID - 1 // the hash covers it
	return at, rest, nil
}

func eachOperation(all []Operation) iter.Seq2[Operation, error] {
	return func(yield func(Operation, error) bool) {
		for _, o := range all {
			if err := o.CheckText(); !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// CheckSigner fails with [blocklist.ErrUntrusted] unless the key is that of an officer who may sign the request.
func (q *Request) CheckSigner(officer crypto.Signer) error { return q.pending.checkOfficer(officer) }

// Sign returns an officer's signature as a file for [Ledger.AddSignature]. It fails unless a release makes exactly the
// changes of its operations.
func (q *Request) Sign(officer crypto.Signer) (signature []byte, err error) {
	if err := q.pending.checkOfficer(officer); err != nil {
		return nil, err
	}
	if err := q.pending.checkLasts(); err != nil {
		return nil, err
	}
	if q.pending.Serial > 0 {
		if err := q.folder.checkChanges(q.pending, q.history.net()); err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
	}
	return q.pending.detachedSignature(officer)
}
