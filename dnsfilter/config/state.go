package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// ErrNoState is returned where nothing says which folder keeps the state.
var ErrNoState = fmt.Errorf("no folder is known for the state: %w: name one with the key state in the settings, since neither STATE_DIRECTORY nor a home is set", blocklist.ErrMalformed)

// defaultState returns the folder of the state where the settings name none: the first of $STATE_DIRECTORY (systemd's),
// else argine/dnsfilter in $XDG_STATE_HOME or ~/.local/state. It is never one for caches or temporary files: what is
// kept against rollback must not be tidied away. Empty if there is none.
func defaultState() string {
	if first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); first != "" {
		return first
	}
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return ""
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "argine", "dnsfilter")
}

// OpenStore opens the store in the state folder to change it. A folder that others could change is refused.
func (s *Settings) OpenStore() (*blocklist.Store, error) {
	if s.State == "" {
		return nil, ErrNoState
	}
	info, err := os.Stat(s.State)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it will be ours alone
	case err != nil:
		return nil, err
	default:
		if err := errors.Join(sharedFolder(s.State, info), foreignFolder(s.State, info)); err != nil {
			return nil, err
		}
	}
	return blocklist.Open(s.State, blocklist.Options{})
}

// checkState says what is wrong with the state folder no matter who looks at it.
func (s *Settings) checkState() error {
	if s.State == "" {
		return ErrNoState
	}
	_, errPath := ControlSocket(s.State)
	var shared error
	if info, err := os.Stat(s.State); err == nil {
		shared = sharedFolder(s.State, info)
	}
	return errors.Join(shared, errPath)
}

// maxSocketPath is the longest path of a socket that every system takes (sun_path), in bytes.
const maxSocketPath = 103

// ControlSocket returns the path of the socket by which a running service is operated, in the state folder. It fails
// with [blocklist.ErrTooLarge] if the system may not take a path of that length.
func ControlSocket(state string) (path string, err error) {
	path = filepath.Join(state, "control.sock")
	if len(path) > maxSocketPath {
		err = fmt.Errorf("the path of the control socket, %s, has %d bytes: %w: it may have %d; name a shorter folder with the key state",
			path, len(path), blocklist.ErrTooLarge, maxSocketPath)
	}
	return path, err
}
