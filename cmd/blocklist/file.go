package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// maxRoot limits the length of a root file, in bytes; real roots are shorter.
const maxRoot = 64 << 10

// readRoot reads a file and checks that it is a root. It does not verify the root.
func readRoot(path string) ([]byte, error) {
	root, err := readAtMost(path, maxRoot)
	if err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	if _, _, err := subscribe.ReadRoot(root); err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", path, err), "the root of a list is the file root.json of its agency")
	}
	return root, nil
}

// readAtMost reads a file of at most limit bytes.
func readAtMost(path string, limit int64) ([]byte, error) {
	if err := notURL(path); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("reading %s: %w: it is not a regular file", path, blocklist.ErrMalformed)
	case info.Size() > limit:
		return nil, fmt.Errorf("reading %s: %w: it has %d bytes, at most %d are read", path, blocklist.ErrTooLarge,
			info.Size(), limit)
	}
	return os.ReadFile(path)
}

// notURL fails if the user gave a URL where a path is needed.
func notURL(path string) error {
	if !strings.Contains(path, "://") {
		return nil
	}
	return withHint(fmt.Errorf("reading %q: %w: it is a URL, and a file is needed", path, blocklist.ErrMalformed),
		"fetch it first, then name the file: curl -fo FILE URL")
}

// writeFile replaces a file atomically, with a mode that lets all accounts read it.
func writeFile(path string, write func(io.Writer) error) error {
	return writeFileMode(path, 0o644, write)
}

// writeFileMode replaces a file atomically: path has the old content or the new.
func writeFileMode(path string, mode os.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is there only if something failed
	if err := errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeOut calls write with a temporary file, and copies the file to standard output only if write succeeds: a partial
// list would mislead.
func (a *app) writeOut(write func(io.Writer) error) error {
	f, err := os.CreateTemp("", "blocklist-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a temporary file
	defer f.Close()           //nolint:errcheck // as above
	if err := write(f); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(a.stdout, f)
	return err
}
