package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeFile writes a file; path has the old content or the new.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is there only if something failed
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeOut writes to standard output once all of it was written to a temporary file: what is cut short would mislead.
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
