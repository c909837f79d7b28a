package publish

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// makeListKey makes a new list key. It writes the key to the folder keys before anything is encrypted with it.
func (l *Ledger) makeListKey() (trust.ListKey, error) {
	key := trust.NewListKey()
	return key, l.saveListKey(key, l.list)
}

// nextListKey returns the list key for the next release, or nil if the list is not confidential. It makes a new key for
// the first confidential release, and if a subscriber was removed since the last release.
func (l *Ledger) nextListKey(ctx context.Context, last ReleaseRecord) (trust.ListKey, error) {
	root, err := l.root()
	if err != nil || !root.Spec().Confidential {
		return nil, err
	}
	// a pending release may already have a new key, which was never published
	dirs := []string{l.path(pendingDir, releaseDir)}
	if last.Serial > 0 {
		dirs = append(dirs, l.releasePath(last.Serial))
	}
	for _, dir := range dirs {
		before, err := l.readRelease(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		gone, err := l.goneSince(ctx, before.targets.Newest().Ledger)
		if err != nil {
			return nil, err
		}
		if before.targets.Confidential() && !gone {
			return before.targets.Key, nil
		}
	}
	return l.makeListKey()
}

// goneSince reports whether a subscriber was removed after the operation with the hash head. If there is no such
// operation, it reports whether a subscriber was ever removed.
func (l *Ledger) goneSince(ctx context.Context, head string) (gone bool, err error) {
	o, err := l.signedHead(ctx, head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return l.history.Happened(ctx, ledger.Range{After: o.ID, Kinds: []string{KindUnsubscribe}})
}

// listKeyOf returns the list key of a pushed release. It returns nil for a record with serial 0, and for a release that
// is not encrypted.
func (l *Ledger) listKeyOf(r ReleaseRecord) (trust.ListKey, error) {
	if r.Serial == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	pushed, err := l.readPushed(r.Serial)
	return pushed.targets.Key, err
}

// makeKeyFiles encrypts the list key to the subscribers, in one file for each kind of recipient. If neither the key nor
// the subscribers have changed since the last release, it returns the existing files.
func (l *Ledger) makeKeyFiles(ctx context.Context, last ReleaseRecord, key trust.ListKey) (files []trust.File,
	err error,
) {
	if key == nil {
		return nil, nil
	}
	changed, err := l.subscribersChanged(ctx, last)
	if err != nil {
		return nil, err
	}
	if last.Serial > 0 && !changed {
		before, err := l.readPushed(last.Serial)
		if err != nil {
			return nil, err
		}
		if before.targets.KeyID == key.ID(l.list) {
			return before.targets.Keys, nil
		}
	}
	subscribers, err := l.Subscribers(ctx)
	if err != nil {
		return nil, err
	}
	for _, kind := range trust.Kinds() {
		to := recipients(subscribers, kind)
		if len(to) == 0 {
			continue
		}
		f, err := l.makeKeyFile(key, kind, to)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (l *Ledger) makeKeyFile(key trust.ListKey, kind string, to []trust.Recipient) (f trust.File, err error) {
	b, err := trust.EncryptKey(key, to)
	if err != nil {
		return f, err
	}
	sum := sha256.Sum256(b)
	f = trust.NewKeyFile(kind, int64(len(b)), sum[:])
	return f, disk.WriteFile(l.path(filesDir, fileName(f)), b, disk.Inherit)
}

// Recipients describes which subscribers can read a release of a confidential list.
type Recipients struct {
	Subscribers int      // number of subscribers; 0 if Same is set
	Come, Go    []string // names of subscribers added and removed since the last release
	NewKey      bool     // whether the list key is new, so that removed subscribers can't read the release
	Same        bool     // whether the subscribers are those of the last release; set only for a signing request
	// Before is set only if a recovery has adopted the last release: it is the number of the subscribers of that
	// release. Their names are not known in this case, and Come has all present subscribers.
	Before int
}

// PendingRecipients returns who can read the pending release p of a confidential list, from the history that p's
// signatures cover. It verifies that the list key is encrypted to as many recipients as there are subscribers. It can't
// prove who these recipients are: only a recipient can decrypt the key.
func (l *Ledger) PendingRecipients(ctx context.Context, p *Pending) (r Recipients, err error) {
	if err := p.checkRelease(); err != nil {
		return r, err
	}
	after, err := l.readRelease(p.dir())
	if err != nil {
		return r, err
	}
	before, err := l.signedBefore(p)
	if err != nil {
		return r, err
	}
	was := map[string]bool{}
	if p.Serial > 1 {
		r.NewKey = before.targets.KeyID != after.targets.KeyID
		if was, r.Before, err = l.subscribersBefore(ctx, before.targets); err != nil {
			return r, err
		}
	}
	is, err := l.subscribersAt(ctx, p.Ledger)
	if err != nil {
		return r, err
	}
	for _, s := range is {
		if !was[s.Name] {
			r.Come = append(r.Come, s.Name)
		}
		delete(was, s.Name)
	}
	r.Go = slices.Sorted(maps.Keys(was))
	r.Subscribers = len(is)
	return r, l.checkRecipients(after.targets, is)
}

// subscribersBefore returns the names of the subscribers of a release. If a recovery has adopted the release, the names
// are not known: it returns no names, and the result unknown is the number of the subscribers.
func (l *Ledger) subscribersBefore(
	ctx context.Context, spec trust.TargetsSpec,
) (names map[string]bool, unknown int, err error) {
	names = map[string]bool{}
	head := spec.Newest().Ledger
	switch _, err := l.adoptionOfHead(ctx, head); {
	case err == nil:
		unknown, err = l.countAllRecipients(spec)
		return names, unknown, err
	case !errors.Is(err, sql.ErrNoRows):
		return names, 0, err
	}
	all, err := l.subscribersAt(ctx, head)
	for _, s := range all {
		names[s.Name] = true
	}
	return names, 0, err
}

// checkRecipients fails unless the key files have exactly one recipient for each subscriber.
func (l *Ledger) checkRecipients(spec trust.TargetsSpec, subscribers []Subscriber) error {
	for _, kind := range trust.Kinds() {
		n, err := l.countRecipients(spec, kind)
		if err != nil {
			return err
		}
		if want := len(recipients(subscribers, kind)); n != want {
			return fmt.Errorf("reviewing: %w: the list key is encrypted to %d %s recipients, there are %d such subscribers",
				blocklist.ErrUntrusted, n, kind, want)
		}
	}
	return nil
}

// countAllRecipients returns the number of recipients in all key files of a release.
func (d folder) countAllRecipients(spec trust.TargetsSpec) (all int, err error) {
	for _, kind := range trust.Kinds() {
		n, err := d.countRecipients(spec, kind)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// countRecipients returns the number of recipients in the key file of one kind.
func (d folder) countRecipients(spec trust.TargetsSpec, kind string) (n int, err error) {
	f, ok := spec.KeyFile(kind)
	if !ok {
		return 0, nil
	}
	file, err := d.openFile(f)
	if err != nil {
		return 0, err
	}
	n, err = trust.CountRecipients(file, f)
	return n, errors.Join(err, file.Close())
}

// recipientsSince returns who can read the pending release p, from the operations since the previous release. It
// verifies that the number of recipients has changed as these operations say.
func (d folder) recipientsSince(p *Pending, operations iter.Seq2[Operation, error]) (r Recipients, err error) {
	after, err := d.readRelease(p.dir())
	if err != nil {
		return r, err
	}
	before, err := d.signedBefore(p)
	if err != nil {
		return r, err
	}
	more, again, err := r.follow(operations, before.targets)
	if err != nil {
		return r, err
	}
	r.NewKey = p.Serial > 1 && before.targets.KeyID != after.targets.KeyID
	if r.Same = slices.EqualFunc(before.targets.Keys, after.targets.Keys, trust.File.Equal) && len(more) == 0; r.Same {
		return r, nil
	}
	if again != nil {
		if r.Before, err = d.countAllRecipients(before.targets); err != nil {
			return r, err
		}
	}
	for _, kind := range trust.Kinds() {
		was, err := d.countRecipients(before.targets, kind)
		if err != nil {
			return r, err
		}
		is, err := d.countRecipients(after.targets, kind)
		if err != nil {
			return r, err
		}
		if is != was+more[kind] && (again == nil || is != again[kind]) {
			return r, fmt.Errorf("reviewing: %w: the list key was encrypted to %d %s recipients, is to %d, and the operations say %d", blocklist.ErrUntrusted,
				was, kind, is, was+more[kind])
		}
		r.Subscribers += is
	}
	return r, nil
}

// follow reads the operations after a release, and records in r.Come and r.Go the subscribers that they add and remove.
// It returns by how much the number of subscribers changes, by kind of recipient. The result total counts all
// operations; the result recovered counts only those after the last recovery that has adopted the release, and is nil
// if there is no such recovery.
func (r *Recipients) follow(operations iter.Seq2[Operation, error], release trust.TargetsSpec) (
	total, recovered map[string]int, err error,
) {
	total = map[string]int{}
	for o, err := range operations {
		if err != nil {
			return nil, nil, err
		}
		if a, ok := adoptionOf(o); ok && a.head == release.Newest().Ledger {
			recovered, r.Come, r.Go = map[string]int{}, nil, nil
		}
		if !slices.Contains(subscriberKinds(), o.Kind) {
			continue
		}
		name, text, _ := strings.Cut(o.Reference, " ")
		to, err := trust.ParseRecipient(text)
		if err != nil {
			return nil, nil, fmt.Errorf("operation %d: %w: %w", o.ID, blocklist.ErrDamaged, err)
		}
		i := slices.Index(r.Come, name)
		n := 1
		switch {
		case o.Kind == KindSubscribe:
			r.Come = append(r.Come, name)
		case i >= 0:
			n, r.Come = -1, slices.Delete(r.Come, i, i+1)
		default:
			n, r.Go = -1, append(r.Go, name)
		}
		total[to.Kind] += n
		if recovered != nil {
			recovered[to.Kind] += n
		}
	}
	return total, recovered, nil
}
