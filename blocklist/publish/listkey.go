package publish

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// makeListKey makes a key. It is durable before anything is encrypted with it.
func (l *Ledger) makeListKey() (trust.ListKey, error) {
	key := trust.NewListKey()
	if err := os.MkdirAll(l.path(keysDir), 0o700); err != nil {
		return nil, err
	}
	return key, disk.WriteFile(l.keyPath(key.ID(l.list)), []byte(key.Text()+"\n"), 0o600)
}

// nextListKey returns the key of the next release, nil if the list is not confidential. It is another one than before
// if a subscriber has gone.
func (l *Ledger) nextListKey(ctx context.Context, last ReleaseRecord) (trust.ListKey, error) {
	root, err := l.root()
	if err != nil || !root.Spec().Confidential {
		return nil, err
	}
	// what is pending may have a new key already, which no one has seen yet
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

// goneSince reports whether a subscriber was removed after the operation with that hash; if there is none, ever.
func (l *Ledger) goneSince(ctx context.Context, head string) (gone bool, err error) {
	o, err := l.history.OperationByHash(ctx, head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return l.history.Happened(ctx, ledger.Range{After: o.ID, Kinds: []string{KindUnsubscribe}})
}

// listKeyOf returns the key of a release that was pushed, nil if there was none or it is in the clear.
func (l *Ledger) listKeyOf(r ReleaseRecord) (trust.ListKey, error) {
	if r.Serial == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	pushed, err := l.readRelease(l.releasePath(r.Serial))
	return pushed.targets.Key, err
}

// makeKeyFiles encrypts the list key to the subscribers: one file for each kind of recipients, those of before where
// neither key nor subscribers have changed.
func (l *Ledger) makeKeyFiles(ctx context.Context, last ReleaseRecord, key trust.ListKey) (files []trust.File,
	err error) {
	if key == nil {
		return nil, nil
	}
	changed, err := l.subscribersChanged(ctx, last)
	if err != nil {
		return nil, err
	}
	if last.Serial > 0 && !changed {
		before, err := l.readRelease(l.releasePath(last.Serial))
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
	return f, disk.WriteFile(l.path(filesDir, fileName(f)), b, 0o644)
}

// Recipients says who can read a release of a confidential list.
type Recipients struct {
	Subscribers int      // how many they are
	Come, Go    []string // names of those who have come and gone since the release before
	NewKey      bool     // who has gone can't read it
}

// PendingRecipients returns who can read the pending release p of a confidential list, from the history that a
// signature of p covers. It proves that the list key is encrypted to as many as that, and no more; to whom, none but
// they can tell.
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
		old, err := l.subscribersAt(ctx, before.targets.Newest().Ledger)
		if err != nil {
			return r, err
		}
		for _, s := range old {
			was[s.Name] = true
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

// checkRecipients counts the recipients of the key files.
func (l *Ledger) checkRecipients(spec trust.TargetsSpec, subscribers []Subscriber) error {
	for _, kind := range trust.Kinds() {
		n := 0
		if f, ok := spec.KeyFile(kind); ok {
			file, err := l.openFile(f)
			if err != nil {
				return err
			}
			n, err = trust.CountRecipients(file, f)
			if err = errors.Join(err, file.Close()); err != nil {
				return err
			}
		}
		if want := len(recipients(subscribers, kind)); n != want {
			return fmt.Errorf("reviewing: %w: the list key is encrypted to %d %s recipients, there are %d such subscribers",
				blocklist.ErrUntrusted, n, kind, want)
		}
	}
	return nil
}
