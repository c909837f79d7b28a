// Package files opens and reads files that users name in settings. If a path does not lead to a regular file, the error
// says what it is.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Open opens a regular file for reading. It checks the kind of file first, since opening a pipe could block.
func Open(path string) (*os.File, error) {
	if _, err := Stat(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return f, denied(err)
}

// denied adds to a permission error the name of the user who lacks the right to read the file. It returns other errors
// unchanged.
func denied(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w to user %s, which this runs as: chgrp and chmod 640 for a key, chmod 644 for all else", err, UserName(os.Geteuid()))
}

// UserName returns the name of a user of the operating system, or the argument id in decimal if the user has no name.
func UserName(id int) string {
	u, err := user.LookupId(strconv.Itoa(id))
	if err != nil {
		return strconv.Itoa(id)
	}
	return u.Username
}

// Stat returns the file info of a regular file. If the path is a URL, a folder, a pipe or a device, the error says so,
// and wraps [blocklist.ErrMalformed].
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

// NotURL returns the error for a URL that was given in place of a file. The error says where URLs belong in the
// settings.
func NotURL(text string) error {
	return fmt.Errorf("%.100q is a URL, and a file is needed here: %w: a list has its URL under url, a signed list under from", text, blocklist.ErrMalformed)
}

// MaxSmall is the maximum size of a file for ReadSmall, in bytes.
const MaxSmall = 1 << 20

// ReadSmall reads a file of at most [MaxSmall] bytes.
func ReadSmall(path string) ([]byte, error) { return Read(path, MaxSmall) }

// Read reads a file of at most limit bytes. If the file is longer, the error wraps [blocklist.ErrTooLarge].
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

// IsMoved reports whether an open file was renamed or removed, as in a log rotation, so that path no longer leads to
// it.
func IsMoved(f *os.File, path string) bool {
	now, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	mine, err := f.Stat()
	return err == nil && !os.SameFile(mine, now)
}
