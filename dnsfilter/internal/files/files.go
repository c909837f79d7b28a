// Package files opens and reads files named by users. Paths that are not regular files are rejected with a clear
// message.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Open opens a regular file for reading. It checks the type first, since opening a pipe could block.
func Open(path string) (*os.File, error) {
	if _, err := Stat(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return f, denied(err)
}

// denied says in an error which user lacks the right to read a file.
func denied(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w to user %d, which this runs as: chgrp and chmod 640 for a key, chmod 644 for all else", err, os.Geteuid())
}

// Stat returns the file info of a regular file. For a URL, a folder, a pipe or a device, it returns an error that says
// so.
func Stat(path string) (fs.FileInfo, error) {
	if strings.Contains(path, "://") {
		return nil, NotURL(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, denied(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: a file is needed here, and this is %s", path, blocklist.ErrMalformed,
			kindOf(info.Mode()))
	}
	return info, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// NotURL returns the error for a URL given in place of a file. It suggests what to do.
func NotURL(text string) error {
	return fmt.Errorf("%.100q is a URL, and a file is needed here: %w: a list has its URL under url, a signed list under from", text, blocklist.ErrMalformed)
}

// MaxSmall is the size limit of ReadSmall, in bytes.
const MaxSmall = 1 << 20

// ReadSmall reads a file of at most [MaxSmall] bytes.
func ReadSmall(path string) ([]byte, error) { return Read(path, MaxSmall) }

// Read reads a file of at most limit bytes. It fails with [blocklist.ErrTooLarge] if the file is longer.
func Read(path string, limit int) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%s: %w: more than %d KiB", path, blocklist.ErrTooLarge, limit>>10)
	}
	return b, err
}

// IsMoved reports whether a path no longer leads to the open file, as after a rotation of logs.
func IsMoved(f *os.File, path string) bool {
	now, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	mine, err := f.Stat()
	return err == nil && !os.SameFile(mine, now)
}
