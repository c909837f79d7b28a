package publish

import (
	"archive/tar"
	"bufio"
	"crypto"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Request is a signing request that was read and verified. Its roots follow from the officer's root. Officers of one of
// these roots have signed the last release. The operations lead from the head of that release to the head of the
// pending one. Urgent orders are within the limits of the newest root.
type Request struct {
	folder  // temporary folder with the unpacked files
	pending *Pending
	history requestHistory

	recipients Recipients

	clock ledger.Clock
}

// Recipients returns who can read the requested release of a confidential list.
func (q *Request) Recipients() Recipients { return q.recipients }

// Limits of a request: the total length of its files in bytes, and the number of files. The length is large because the
// request for a first release contains the whole list.
const (
	maxRequest      = 8 << 30
	maxRequestParts = 2000
)

// OpenRequest reads and verifies a signing request. Root is a root of the list that the officer trusts, the content of
// a root.json. It may be empty only if the request is for the first root; in this case people compare
// [Pending.Fingerprint] by voice. Identity is the text of the officer's age identities, needed only for an encrypted
// request.
//
// OpenRequest fails with [blocklist.ErrUntrusted] if the request is about another list, if its roots don't follow from
// root, or if a release makes other changes than its operations. It fails with [blocklist.ErrNoKey] if the request is
// encrypted to others. Until the caller closes the request, its content is in a temporary folder that only the owner
// can read.
func OpenRequest(r io.Reader, root, identity []byte) (*Request, error) {
	plain, err := decryptRequest(r, identity)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	dir, err := os.MkdirTemp("", "blocklist-request-")
	if err != nil {
		return nil, err
	}
	q := &Request{folder: folder{dir: dir}}
	if err := unpackRequest(plain, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the request: %w", err), q.Close())
	}
	if err := q.verify(root); err != nil {
		return nil, errors.Join(fmt.Errorf("verifying the request: %w", err), q.Close())
	}
	return q, nil
}

// decryptRequest returns the tar file of a request. It decrypts an encrypted request with the age identity.
func decryptRequest(r io.Reader, identity []byte) (io.Reader, error) {
	begin := bufio.NewReader(r)
	head, err := begin.Peek(32)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !trust.Encrypted(head) {
		return begin, nil
	}
	if len(identity) == 0 {
		return nil, fmt.Errorf("%w: it is encrypted; --identity names the file with your age identity", blocklist.ErrNoKey)
	}
	ids, err := trust.ParseIdentities(identity)
	if err != nil {
		return nil, err
	}
	return ids.Decrypt(begin)
}

// Close removes the temporary folder of the request.
func (q *Request) Close() error { return os.RemoveAll(q.dir) }

// Pending returns the root, release or urgent orders to be signed.
func (q *Request) Pending() *Pending { return q.pending }

// Operations returns the operations of the requested release, oldest first.
func (q *Request) Operations() []Operation { return q.history.operations }

// Review yields the changes of the requested release or urgent orders, as [Ledger.Review] does. The last value may be
// an error.
func (q *Request) Review() iter.Seq2[blocklist.Change, error] { return q.folder.Review(q.pending) }

// requestPart describes a kind of file in a request: a pattern for its path, and its maximum length in bytes.
type requestPart struct {
	path  *regexp.Regexp
	limit int64
}

// requestParts are the files that a signing request may have.
//
//nolint:gochecknoglobals // constants
var requestParts = []requestPart{
	{regexp.MustCompile(`^(roots|pending)/[0-9]{1,10}\.root\.json$`), tuf.MaxRoot},
	{regexp.MustCompile(`^(releases/[0-9]{1,20}|pending/release)/targets\.json$`), tuf.MaxTargets},
	{regexp.MustCompile(`^urgent/[0-9]{1,20}\.urgent\.json$`), trust.MaxUrgent},
	{regexp.MustCompile(`^pending/urgent\.json$`), 2 * trust.MaxUrgent},
	{regexp.MustCompile(`^keys/[0-9a-f]{16}\.key$`), 1 << 10},
	{regexp.MustCompile(`^files/[A-Za-z0-9][A-Za-z0-9._-]{0,200}$`), maxRequest},
	{regexp.MustCompile(`^operations\.txt$`), maxRequest},
}

// unpackRequest writes the files of a request into the folder dir. It limits the total length of the unpacked files,
// because a tar file may unpack to far more than its own length.
func unpackRequest(r io.Reader, dir string) error {
	tr := tar.NewReader(io.LimitReader(r, maxRequest))
	left := int64(maxRequest)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: it is no signing request, as blocklist request or the desk writes it: %w", blocklist.ErrMalformed, err)
		}
		if n > maxRequestParts {
			return fmt.Errorf("%w: it has more than %d parts", blocklist.ErrTooLarge, maxRequestParts)
		}
		if n == 0 {
			err = checkRequestMark(h, tr)
		} else {
			err = checkRequestPart(h, left)
		}
		if err == nil && n > 0 {
			left -= h.Size
			err = unpackPart(tr, filepath.Join(dir, filepath.FromSlash(h.Name)))
		}
		if err != nil {
			return err
		}
	}
}

// checkRequestPart fails if a file does not belong in a request, or is longer than its kind or the remaining total
// (left) allows.
func checkRequestPart(h *tar.Header, left int64) error {
	i := slices.IndexFunc(requestParts, func(p requestPart) bool { return p.path.MatchString(h.Name) })
	switch {
	case i < 0 || h.Typeflag != tar.TypeReg:
		return fmt.Errorf("%w: %.80q does not belong into a request", blocklist.ErrMalformed, h.Name)
	case h.Size > min(left, requestParts[i].limit):
		return fmt.Errorf("%w: %.80q has %d bytes", blocklist.ErrTooLarge, h.Name, h.Size)
	}
	return nil
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

// verify replaces the copy of the officer's root in the request by the root that the officer has given. Then it
// verifies everything else in the request, beginning with that root.
func (q *Request) verify(trusted []byte) error {
	trusted, err := utf8text.Decode(trusted)
	if err != nil {
		return fmt.Errorf("the given root: %w", err)
	}
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
	p, err := q.folder.requested()
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
	switch {
	case p.Root > 0:
		return nil
	case p.Number > 0:
		return p.checkClock()
	}
	return q.verifyRelease(p)
}

// verifyRelease proves that the release p makes the changes of the operations in the request, and no others.
func (q *Request) verifyRelease(p *Pending) (err error) {
	if err := q.verifyHistory(); err != nil {
		return err
	}
	if p.Confidential {
		if q.recipients, err = q.recipientsSince(p, eachOperation(q.history.operations)); err != nil {
			return err
		}
	}
	return q.checkChanges(p, q.history.net())
}

// requested returns the root, release or urgent orders to be signed. It fails if the request has more than one of
// these.
func (d folder) requested() (*Pending, error) {
	if err := d.checkOne(); err != nil {
		return nil, err
	}
	if p, err := d.preparedUrgent(); !errors.Is(err, ErrNothingPending) {
		return p, err
	}
	return d.Pending()
}

// trustRoot makes root, with the content b, the oldest root of the folder, which is trusted without proof. It puts the
// newest root that follows from it in force.
func (q *Request) trustRoot(root *trust.Root, b []byte) error {
	place := q.folder.path(rootsDir, trust.RootName(root.Version()))
	if sent, err := os.ReadFile(place); err == nil {
		if other, err := trust.ParseRoot(sent); err == nil && other.ID() != root.ID() {
			return fmt.Errorf("%w: its root %d is another one (%s) than the given one (%s)", blocklist.ErrUntrusted, root.Version(), rootFingerprint(other), rootFingerprint(root))
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

// verifyHistory proves that the operations in the request lead from the last release to the pending one.
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

// begin returns the last operation of the last release, and the operations after it. If a recovery has adopted that
// release, it returns the recovery instead of that operation. The changed lines of the recovery may be missing.
func (q *Request) begin() (at Operation, rest []Operation, err error) {
	rest = q.history.operations
	if q.pending.base == 0 {
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

// Sign signs the requested document, and returns the officer's signature as a file for [Ledger.AddSignature].
func (q *Request) Sign(officer crypto.Signer) (signature []byte, err error) {
	if err := q.pending.CheckSigner(officer); err != nil {
		return nil, err
	}
	if err := q.pending.checkTimes(&q.clock); err != nil {
		return nil, err
	}
	return q.pending.detachedSignature(officer)
}
