package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// upload is the temporary folder of one push. The push keeps the folder's lock, so an unlocked folder is from a push
// that was killed.
type upload struct {
	dir   string
	lock  io.Closer
	names map[string]string // path in dir of each file, by its name in the targets folder
}

func (o *Origin) newUpload(ctx context.Context) (u *upload, err error) {
	err = o.change(ctx, func() error {
		root := filepath.Join(o.dir, workDir)
		if err := os.MkdirAll(root, 0o700); err != nil {
			return err
		}
		dir, err := os.MkdirTemp(root, "push-*")
		if err != nil {
			return err
		}
		lock, err := disk.LockSilently(filepath.Join(dir, lockFile))
		u = &upload{dir: dir, lock: lock, names: map[string]string{}}
		return err
	})
	return u, err
}

func (u *upload) remove(log *slog.Logger) {
	if err := errors.Join(u.lock.Close(), os.RemoveAll(u.dir)); err != nil {
		log.Warn("removing a push", slogErr(err))
	}
}

// removeLeftovers removes the temporary folders of killed pushes, and documents and temporary files that were not
// published. The caller must have the folder's lock.
func (o *Origin) removeLeftovers() error {
	left, _ := filepath.Glob(filepath.Join(o.dir, workDir, "push-*"))
	for _, dir := range left {
		lock, err := disk.LockSilently(filepath.Join(dir, lockFile))
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
		err = errors.Join(err, st.removeUncommitted(), disk.RemoveTemps(string(st.dir)))
	}
	return err
}

// receive reads the files that the origin lacks, and verifies their lengths, hashes and entries. Each has a size
// limit.
func (u *upload) receive(p *push, b *trust.Bundle) error {
	_, err := b.Unpack(p.spec.All(), func(f trust.File, content io.Reader) error {
		if p.held(f) {
			return nil
		}
		return u.receiveFile(f, p.spec, content)
	})
	if err != nil {
		return err
	}
	return p.checkMissing(u.has)
}

func (u *upload) has(f trust.File) bool { return u.names[fileName(f)] != "" }

// fileName returns the name of a release file in the targets folder.
func fileName(f trust.File) string { return path.Base(f.URLPath()) }

func (u *upload) receiveFile(f trust.File, in trust.TargetsSpec, content io.Reader) error {
	if f.Length > MaxFile {
		return fmt.Errorf("%s: %w: %d bytes, the limit is %d", f.Path, blocklist.ErrTooLarge, f.Length, MaxFile)
	}
	path := filepath.Join(u.dir, fmt.Sprintf("file-%d", len(u.names)))
	u.names[fileName(f)] = path
	err := disk.Write(path, 0o644, func(dst io.Writer) error { return trust.CopyFile(dst, content, f) })
	if err != nil {
		return err
	}
	if in.Confidential() {
		return checkSealed(path, f)
	}
	for _, changeErr := range trust.Changes(f, in, func(trust.File) (io.ReadCloser, error) { return os.Open(path) }) {
		err = changeErr
	}
	return err
}

// checkSealed verifies an encrypted file of a confidential list as far as possible without its key.
func checkSealed(path string, f trust.File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // opened for reading only
	return trust.CheckSealed(file, f)
}

func (u *upload) moveTo(dir string) error {
	for name, from := range u.names {
		if err := os.Rename(from, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return disk.SyncDir(dir)
}
