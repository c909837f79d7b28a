package origin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Names of files and folders for the receipts of a list. They are not public.
const (
	receiptsDir = "receipts"
	// listSuffix is the last part of the path of the folder with a list's receipts. No list name has this part, so no
	// such folder is inside another one.
	listSuffix = "_"
	keysFile   = "keys"
	tokenFile  = "token"
)

// keepReceipts is the maximum number of stored receipts of each subscriber.
const keepReceipts = 64

func (o *Origin) receiptsDir(list string) string {
	return filepath.Join(o.dir, receiptsDir, filepath.FromSlash(list), listSuffix)
}

// changeReceipts calls do with the folder of a list's receipts. The folder has its own lock, so receipts don't wait
// for pushes.
func (o *Origin) changeReceipts(ctx context.Context, list string, do func(dir string) error) error {
	o.receipts.Lock()
	defer o.receipts.Unlock()
	dir := o.receiptsDir(list)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := o.lock(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	return errors.Join(do(dir), lock.Close())
}

// removeReceiptLeftovers removes the temporary files of receipts whose writing was interrupted.
func (o *Origin) removeReceiptLeftovers() error {
	lists, err := o.lists()
	for _, list := range lists {
		if _, statErr := os.Stat(o.receiptsDir(list)); statErr == nil {
			err = errors.Join(err, o.changeReceipts(context.Background(), list, disk.RemoveTemps))
		}
	}
	return err
}

// AddSubscriber registers the public key of a subscriber, given as text. The origin then accepts receipts for the
// list that are signed with this key. AddSubscriber returns the name of the key's holder. For the first subscriber of
// the list, it creates the token for reading receipts; see [Origin.TokenPath].
func (o *Origin) AddSubscriber(ctx context.Context, list, key string) (name string, err error) {
	if _, err := o.load(list); err != nil {
		return "", err
	}
	v, err := receipt.ParseKey(key)
	if err != nil {
		return "", err
	}
	err = o.changeReceipts(ctx, list, func(dir string) error {
		if err := makeToken(filepath.Join(dir, tokenFile)); err != nil {
			return err
		}
		text, _, err := o.readKeys(dir)
		if err != nil {
			return err
		}
		text += strings.TrimSpace(key) + "\n"
		if _, err := receipt.ParseKeys(text); err != nil {
			return fmt.Errorf("%w; remove the old one first", err)
		}
		return disk.WriteFile(filepath.Join(dir, keysFile), []byte(text), 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("adding a subscriber of %s: %w", list, err)
	}
	return v.Name(), nil
}

// RemoveSubscriber unregisters the key with this name. The origin then refuses receipts signed with this key. Stored
// receipts stay in the folder, but WriteReceipts omits them.
func (o *Origin) RemoveSubscriber(ctx context.Context, list, name string) error {
	if _, err := o.load(list); err != nil {
		return err
	}
	return o.changeReceipts(ctx, list, func(dir string) error {
		text, keys, err := o.readKeys(dir)
		if err != nil {
			return err
		}
		if keys[name] == nil {
			return fmt.Errorf("removing a subscriber of %s: there is none named %q", list, name)
		}
		var rest strings.Builder
		for line := range strings.Lines(text) {
			if v, err := receipt.ParseKey(line); err != nil || v.Name() != name {
				rest.WriteString(line)
			}
		}
		return disk.WriteFile(filepath.Join(dir, keysFile), []byte(rest.String()), 0o600)
	})
}

// SubscriberKeys returns the keys registered for a list, as text for [receipt.ParseKeys].
func (o *Origin) SubscriberKeys(list string) (string, error) {
	if _, err := o.load(list); err != nil {
		return "", err
	}
	text, _, err := o.readKeys(o.receiptsDir(list))
	return text, err
}

// TokenPath returns the path of the file with the token for reading a list's receipts over HTTP. Keep the token
// secret: the receipts show who subscribes, and which release each subscriber has.
func (o *Origin) TokenPath(list string) string { return filepath.Join(o.receiptsDir(list), tokenFile) }

func (o *Origin) readKeys(dir string) (text string, keys receipt.Keys, err error) {
	b, err := os.ReadFile(filepath.Join(dir, keysFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", receipt.Keys{}, nil
	}
	if err == nil {
		keys, err = o.verified.receiptKeys(dir, string(b))
	}
	return string(b), keys, err
}

func makeToken(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.WriteFile(path, []byte(rand.Text()+"\n"), 0o600)
}

// AcceptReceipt verifies a receipt for a list and stores it. If its digest differs from the signed digest, it is
// stored and logged, because receipts exist to reveal that. Sending a receipt again is not an error. AcceptReceipt
// fails with [blocklist.ErrUntrusted] for an unregistered key, another list, a serial that was never published here,
// or a time that is in the future or before the release. Other errors are those of [receipt.Open].
func (o *Origin) AcceptReceipt(ctx context.Context, list string, b []byte) error {
	st, err := o.load(list)
	if err != nil {
		return err
	}
	_, keys, err := o.readKeys(o.receiptsDir(list))
	if err != nil {
		return err
	}
	r, holder, err := receipt.Open(b, keys)
	if err != nil {
		return err
	}
	if err := o.checkReceipt(st, r, holder); err != nil {
		return fmt.Errorf("receipt of %s: %w", holder, err)
	}
	return o.changeReceipts(ctx, list, func(dir string) error { return keepReceipt(statementsPath(dir, holder), b) })
}

// checkReceipt compares the list, serial, time and digest of a receipt with the published releases. It fails with
// [blocklist.ErrUntrusted] for a wrong list, serial or time. A wrong digest is only logged, with the name of the
// subscriber (holder).
func (o *Origin) checkReceipt(st *state, r receipt.Receipt, holder string) error {
	now := time.Now()
	switch {
	case r.List != st.list:
		return fmt.Errorf("%w: it is of list %q, sent as %q", blocklist.ErrUntrusted, r.List, st.list)
	case r.Serial > uint64(st.snapshot.Targets.Version):
		return fmt.Errorf("%w: serial %d was never published here, the newest is %d", blocklist.ErrUntrusted, r.Serial,
			st.snapshot.Targets.Version)
	case r.Enforced.After(now.Add(clockSkew)):
		return fmt.Errorf("%w: enforced %s is yet to come", blocklist.ErrUntrusted, r.Enforced.Format(time.RFC3339))
	}
	signed, ok, err := st.signed(r.Serial)
	switch {
	case err != nil || !ok:
		return err
	case r.Enforced.Before(signed.Created.Add(-clockSkew)):
		return fmt.Errorf("%w: enforced %s, before the release was made", blocklist.ErrUntrusted,
			r.Enforced.Format(time.RFC3339))
	case r.Digest != signed.Digest:
		o.o.Log.Error("a subscriber holds another state than was signed", slog.String("list", st.list),
			slog.String("subscriber", holder),
			slog.Uint64("serial", r.Serial), slog.String("digest", r.Digest))
	}
	return nil
}

// signed returns the signed release with this serial. It searches the stored targets documents from the newest down,
// since each also names earlier releases. It returns false if none of them names the serial.
func (st *state) signed(serial uint64) (r trust.Release, ok bool, err error) {
	for _, version := range slices.Backward(st.dir.Versions("targets")) {
		b, err := os.ReadFile(st.dir.Path(trust.TargetsName(version)))
		if err != nil {
			return r, false, err
		}
		spec, err := trust.ParseTargets(b)
		if err != nil {
			return r, false, err
		}
		if r, ok = spec.State(serial); ok {
			break
		}
	}
	return r, ok, nil
}

// statementsPath returns the path of the file with one subscriber's receipts.
func statementsPath(dir, holder string) string {
	return filepath.Join(dir, fmt.Sprintf("from-%.12x", sha256.Sum256([]byte(holder))))
}

// keepReceipt appends a receipt to a file. If the file then has more than [keepReceipts], it drops the oldest ones.
func keepReceipt(path string, b []byte) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all [][]byte
	for one, err := range receipt.Split(bytes.NewReader(old)) {
		if err != nil {
			return err
		}
		if bytes.Equal(one, b) {
			return nil
		}
		all = append(all, one)
	}
	all = append(all, b)
	return disk.WriteFile(path, slices.Concat(all[max(len(all)-keepReceipts, 0):]...), 0o600)
}

// WriteReceipts writes the stored receipts of all registered subscribers of a list, concatenated.
func (o *Origin) WriteReceipts(list string, w io.Writer) error {
	if err := blocklist.CheckListName(list); err != nil {
		return err
	}
	if w == nil {
		return fmt.Errorf("writing receipts: %w: there is no writer", blocklist.ErrMalformed)
	}
	_, keys, err := o.readKeys(o.receiptsDir(list))
	if err != nil {
		return err
	}
	for _, holder := range slices.Sorted(maps.Keys(keys)) {
		b, err := os.ReadFile(statementsPath(o.receiptsDir(list), holder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return fmt.Errorf("reading the receipts of %s: %w", holder, err)
		}
	}
	return nil
}
