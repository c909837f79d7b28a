package publish

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// WriteBackup writes the agency's folder as a tar file. Until it returns, no other process can change the folder, so
// the file has the state of one moment. The file contains the plain text of a confidential list, and the list keys.
// Once the file is unpacked into an empty folder, [Open] can open that folder.
func (l *Ledger) WriteBackup(ctx context.Context, w io.Writer) error {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.history.Checkpoint(ctx); err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	err = filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(l.dir, path)
		switch {
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case name == "." || ctx.Err() != nil:
			return ctx.Err()
		case strings.HasPrefix(d.Name(), disk.TempPrefix) && d.IsDir():
			return fs.SkipDir
		case d.IsDir():
			return tw.WriteHeader(&tar.Header{Name: filepath.ToSlash(name) + "/", Typeflag: tar.TypeDir, Mode: 0o700, ModTime: time.Unix(0, 0)})
		case !d.Type().IsRegular() || name == lockName || strings.HasPrefix(d.Name(), disk.TempPrefix) || strings.HasPrefix(name, LedgerFile+"-"):
			return nil
		}
		return addFile(tw, filepath.ToSlash(name), path)
	})
	return errors.Join(err, tw.Close())
}
