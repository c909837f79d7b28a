package service

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// openFile opens a file to be read, once it is known to be one: a pipe would be waited for.
func openFile(path string) (*os.File, error) {
	if _, err := statFile(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// statFile describes a file. What is none is refused in words: a URL, a folder, a pipe, a device.
func statFile(path string) (fs.FileInfo, error) {
	if strings.Contains(path, "://") {
		return nil, notURL(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: a file is needed here, and this is %s", path, blocklist.ErrMalformed, kindOf(info.Mode()))
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

// notURL says that a file is needed where a URL is given.
func notURL(text string) error {
	return fmt.Errorf("%.100q is a URL, and a file is needed here: %w: download it, or follow a signed list by the keys from and root", text, blocklist.ErrMalformed)
}
