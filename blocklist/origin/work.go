package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// work is the folder in which one push is received. Its lock tells it from what a killed push has left.
type work struct {
	dir   string
	lock  io.Closer
	names map[string]string // file in dir -> name among the list's targets
}

func (o *Origin) newWork(ctx context.Context) (w *work, err error) {
	err = o.change(ctx, func() error {
		root := filepath.Join(o.dir, workDir)
		if err := os.MkdirAll(root, 0o700); err != nil {
			return err
		}
		dir, err := os.MkdirTemp(root, "push-*")
		if err != nil {
			return err
		}
		lock, err := disk.Lock(filepath.Join(dir, lockFile))
		w = &work{dir: dir, lock: lock, names: map[string]string{}}
		return err
	})
	return w, err
}

func (w *work) remove(log *slog.Logger) {
	if err := errors.Join(w.lock.Close(), os.RemoveAll(w.dir)); err != nil {
		log.Warn("removing a push", slogErr(err))
	}
}

// removeLeftovers removes the folders that no process holds any more, and what was not published to its end. The caller
// holds the lock.
func (o *Origin) removeLeftovers() error {
	left, _ := filepath.Glob(filepath.Join(o.dir, workDir, "push-*"))
	for _, dir := range left {
		lock, err := disk.Lock(filepath.Join(dir, lockFile))
		if errors.Is(err, disk.ErrLocked) {
			continue
		}
		if err == nil {
			err = errors.Join(lock.Close(), os.RemoveAll(dir))
		}
		if err != nil {
			return err
		}
	}
	lists, err := o.lists()
	for _, list := range lists {
		st, loadErr := o.load(list)
		if loadErr != nil {
			o.o.Log.Error("reading a list", slog.String("list", list), slogErr(loadErr))
			continue
		}
		err = errors.Join(err, st.removeUncommitted(), disk.RemoveTemps(st.dir))
	}
	return err
}

// receive reads the files, each under a limit, and verifies them to the last entry.
func (w *work) receive(p *push, b *trust.Bundle) error {
	wanted := map[string]trust.File{}
	for _, f := range p.spec.Files {
		wanted[f.Path] = f
	}
	for len(wanted) > 0 {
		path, content, err := b.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("bundle: %w: %d files that the targets name are missing", blocklist.ErrMalformed, len(wanted))
		}
		if err != nil {
			return err
		}
		f, ok := wanted[path]
		if !ok {
			return fmt.Errorf("bundle: %w: file %.80q is not among the targets, or there twice", blocklist.ErrMalformed, path)
		}
		delete(wanted, path)
		if err := w.receiveFile(f, content); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) receiveFile(f trust.File, content io.Reader) error {
	if f.Length > MaxFile {
		return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, MaxFile)
	}
	path := filepath.Join(w.dir, fmt.Sprintf("file-%d", len(w.names)))
	w.names[path] = filepath.Base(filepath.FromSlash(f.URLPath()))
	err := disk.Write(path, 0o644, func(dst io.Writer) error { return trust.CopyFile(dst, content, f) })
	if err != nil {
		return err
	}
	return checkRelease(path, f)
}

// checkRelease reads a release as a subscriber would.
func checkRelease(path string, f trust.File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r, text, err := trust.OpenRelease(file, f)
	if err != nil {
		return err
	}
	for _, changeErr := range r.Changes() {
		err = changeErr
	}
	return errors.Join(err, text.Close())
}

func (w *work) moveTo(dir string) error {
	for from, name := range w.names {
		if err := os.Rename(from, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return disk.SyncDir(dir)
}
