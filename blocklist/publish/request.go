package publish

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// A signing request is a tar file. Its entries have the paths of the agency's folder, in this order: all roots, the
// targets of the last release, the pending metadata, the release files that the review of the pending release reads,
// and the operations of that release. For urgent orders, the previous orders take the place of files and operations.
// For a confidential list, the list keys are added, and the tar file is encrypted with age. [OpenRequest] unpacks the
// tar file into a folder of this layout.
const (
	// requestMark is the name of the first file in the tar file of a signing request. The content of that file is the
	// version of the format.
	requestMark    = "argine-signing-request"
	requestVersion = "1\n"
	operationsFile = "operations.txt"
)

// WriteRequest writes a signing request for p, which [Ledger.Pending] or [Ledger.PendingUrgent] has returned. With the
// request, an officer needs only the list's root and a key, but no ledger. The request is about as long as the changes,
// unless the release has a new snapshot.
//
// If recipients are given, the request is encrypted to them: they are the age recipients of officers, as text, all of
// one kind. For a confidential list they are required, because the request contains the list key. A request for a root
// never requires them, because every origin serves roots. WriteRequest fails with [blocklist.ErrUntrusted] if p does
// not follow from the ledger's history.
func (l *Ledger) WriteRequest(ctx context.Context, w io.Writer, p *Pending, recipients ...string) error {
	if err := p.check(); err != nil {
		return err
	}
	to, err := p.requestRecipients(recipients)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	names, history, err := l.requestParts(ctx, p)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	if len(to) == 0 {
		return l.writeRequest(w, names, history)
	}
	encrypted, err := trust.Encrypt(w, to)
	if err != nil {
		return fmt.Errorf("writing a request: %w", err)
	}
	return errors.Join(l.writeRequest(encrypted, names, history), encrypted.Close())
}

// requestRecipients parses the recipients of a request. It fails with [blocklist.ErrNoKey] if recipients are required
// and there are none.
func (p *Pending) requestRecipients(recipients []string) (to []trust.Recipient, err error) {
	for _, text := range recipients {
		r, err := trust.ParseRecipient(text)
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	if len(to) == 0 && p.Root == 0 && (p.Confidential || p.root.Spec().Confidential) {
		err = fmt.Errorf("%w: the list is confidential, so the request is encrypted to the officers; --recipient names the file of each officer's recipient, which blocklist keygen --subscriber makes", blocklist.ErrNoKey)
	}
	return to, err
}

// requestParts returns the paths of the files that a request for p contains, and the content of its file
// operations.txt, which is only in a request for a release.
func (l *Ledger) requestParts(ctx context.Context, p *Pending) (names []string, history []byte, err error) {
	newest, err := l.newestRoot()
	if err != nil {
		return nil, nil, err
	}
	for version := range newest {
		names = append(names, path.Join(rootsDir, trust.RootName(version+1)))
	}
	switch {
	case p.Root > 0:
		return append(names, path.Join(pendingDir, trust.RootName(p.Root))), nil, nil
	case p.Number > 0:
		keys, err := l.keyNames(l.releasePath(p.Serial))
		return slices.Concat(names, l.urgentParts(p), keys), nil, err
	}
	keys, err := l.keyNames(p.dir())
	if err == nil && p.base > 0 {
		names = append(names, releasedTargets(p.base))
		var before []string
		before, err = l.keyNames(l.releasePath(p.base))
		keys = append(before, keys...)
	}
	if err != nil {
		return nil, nil, err
	}
	read, err := l.filesReviewed(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	names = slices.Concat(names, []string{path.Join(pendingDir, releaseDir, targetsFile)}, slices.Compact(keys), read)
	var operations bytes.Buffer
	err = l.writeOperations(ctx, &operations, p)
	return names, operations.Bytes(), err
}

// releasedTargets returns the path of a pushed release's targets.json, with slashes.
func releasedTargets(serial uint64) string {
	return path.Join(releasesDir, fmt.Sprint(serial), targetsFile)
}

// keyNames returns the path of the list key of the release in the folder dir. It returns no path if the list is not
// confidential.
func (d folder) keyNames(dir string) ([]string, error) {
	r, err := d.readRelease(dir)
	if err != nil || !r.targets.Confidential() {
		return nil, err
	}
	return []string{path.Join(keysDir, filepath.Base(d.keyPath(r.targets.KeyID)))}, nil
}

func (d folder) writeRequest(w io.Writer, names []string, history []byte) error {
	tw := tar.NewWriter(w)
	err := addText(tw, requestMark, []byte(requestVersion))
	for _, name := range names {
		if err == nil {
			err = addFile(tw, name, d.path(filepath.FromSlash(name)))
		}
	}
	if err == nil && len(history) > 0 {
		err = addText(tw, operationsFile, history)
	}
	return errors.Join(err, tw.Close())
}

func addText(tw *tar.Writer, name string, b []byte) error {
	err := tw.WriteHeader(&tar.Header{
		Name: name, Size: int64(len(b)), Mode: 0o600, ModTime: time.Unix(0, 0),
		Typeflag: tar.TypeReg,
	})
	if err == nil {
		_, err = tw.Write(b)
	}
	return err
}

func addFile(tw *tar.Writer, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err == nil {
		err = tw.WriteHeader(&tar.Header{
			Name: name, Size: info.Size(), Mode: 0o600, ModTime: time.Unix(0, 0),
			Typeflag: tar.TypeReg,
		})
	}
	if err == nil {
		_, err = io.Copy(tw, f)
	}
	return err
}

// filesReviewed proves that the release p follows from the ledger's history. It returns the paths of the release files
// that this proof has read.
func (l *Ledger) filesReviewed(ctx context.Context, p *Pending) (names []string, err error) {
	proof := &Ledger{folder: l.folder, history: l.history}
	proof.opened = func(f trust.File) {
		if name := path.Join(filesDir, fileName(f)); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if err := proof.checkHistory(ctx, p); err != nil {
		return nil, err
	}
	if p.Confidential {
		_, err = proof.recipientsSince(p, l.PendingOperations(ctx, p))
	}
	return names, err
}

// writeOperations writes the operations of the release p. Each operation is one line of JSON. After it come the lines
// of the list that the operation has changed, which the operation's hash covers.
func (l *Ledger) writeOperations(ctx context.Context, w io.Writer, p *Pending) error {
	before, err := l.headBefore(ctx, p)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	for o, err := range l.PendingOperations(ctx, p) {
		if err != nil {
			return err
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
		if err := l.history.WriteChanges(ctx, w, o, before.LastChange); err != nil {
			return err
		}
		before = o
	}
	return nil
}

// requestHistory is the parsed content of operations.txt: the operations of a release and their net changes.
type requestHistory struct {
	operations []Operation
	changes    map[string]netLine // net changes, by target
}

// netLine is the net change of one target: its entry line before all operations and after them. An empty line means
// that the target is not listed.
type netLine struct{ before, after string }

// readOperations parses operations.txt. It fails unless the changed lines of each operation match the operation's hash.
func readOperations(r io.Reader) (requestHistory, error) {
	h := requestHistory{changes: map[string]netLine{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, blocklist.MaxLine+1<<16)
	var proof ledger.ChangesProof
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "{") {
			if len(h.operations) == 0 {
				return h, ledger.Damaged("operations: a change stands before the first operation")
			}
			proof.Add(line)
			if err := h.add(line); err != nil {
				return h, err
			}
			continue
		}
		if err := h.end(&proof); err != nil {
			return h, err
		}
		var o Operation
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return h, ledger.Damaged("operations: %.80q: %v", line, err)
		}
		h.operations = append(h.operations, o)
	}
	return h, errors.Join(lines.Err(), h.end(&proof))
}

// end verifies the changed lines of the operation that was read last. If a recovery is the first operation, its lines
// may be missing, see [Request.begin].
func (h *requestHistory) end(proof *ledger.ChangesProof) error {
	if len(h.operations) == 0 || len(h.operations) == 1 && withoutLines(h.operations[0], *proof) {
		return nil
	}
	return proof.End(h.operations[len(h.operations)-1])
}

// withoutLines reports whether o is a recovery that has changed entries, while none of its changed lines were read.
func withoutLines(o Operation, proof ledger.ChangesProof) bool {
	_, recovered := adoptionOf(o)
	return recovered && o.Added+o.Removed > 0 && proof == ledger.ChangesProof{}
}

// add applies one changed line to the net changes. It ignores lines about orders and page checks.
func (h *requestHistory) add(line string) error {
	sign, text := line[0], line[1:]
	if sign == '?' { // a check changes nothing
		return nil
	}
	e, err := blocklist.ParseEntry(text)
	if err != nil || e.String() != text {
		return ledger.Damaged("operations: %.80q is no entry: %v", line, err)
	}
	if sign == '&' || sign == '~' { // an order; the lines that it changes are recorded, too
		return nil
	}
	n, seen := h.changes[e.Target()]
	if !seen && sign == '-' {
		n.before = text
	}
	if n.after = ""; sign == '+' {
		n.after = text
	}
	h.changes[e.Target()] = n
	return nil
}

// net yields the net changes of all operations, in the order of a delta.
func (h *requestHistory) net() iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		targets := make([]string, 0, len(h.changes))
		for target, n := range h.changes {
			if n.before != n.after {
				targets = append(targets, target)
			}
		}
		slices.Sort(targets)
		for _, target := range targets {
			for i, line := range []string{h.changes[target].before, h.changes[target].after} {
				if line == "" {
					continue
				}
				e, err := blocklist.ParseEntry(line)
				if !yield(blocklist.Change{Removed: i == 0, Entry: e}, err) {
					return
				}
			}
		}
	}
}
