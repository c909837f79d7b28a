package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// ErrNoState is the error if no state folder is set and no default is known.
var ErrNoState = fmt.Errorf("no folder is known for the state: %w: name one with the key state in the settings, since neither STATE_DIRECTORY nor a home is set", blocklist.ErrMalformed)

// OpenStore opens the store in the state folder for writing. It returns the error of [Settings.TrustState] if there is
// one.
func (s *Settings) OpenStore() (*blocklist.Store, error) {
	if err := s.TrustState(); err != nil {
		return nil, err
	}
	return blocklist.Open(s.State, blocklist.Options{})
}

// TrustState returns an error that wraps [blocklist.ErrUntrusted] if the owner of the state folder is neither this user
// nor root, or if other users can write to the folder. It returns [ErrNoState] if there is no state folder.
func (s *Settings) TrustState() error {
	if s.State == "" {
		return ErrNoState
	}
	info, err := os.Stat(s.State)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it will be created for this user only
		return nil
	case err != nil:
		return err
	}
	return errors.Join(sharedFolder(s.State, info), foreignFolder(s.State, info))
}

// stateLine matches the line of the key state, in a settings file that is not valid YAML.
var stateLine = regexp.MustCompile(`(?m)^state:.*$`)

// ReadState returns the state folder of a settings file. If the file has mistakes, it returns the folder together with
// an error of type [Errors]. The folder is empty if the file can't be read.
func ReadState(path string) (state string, err error) {
	text, err := files.ReadSmall(path)
	if err != nil {
		return "", fmt.Errorf("reading settings: %w", err)
	}
	s, err := parseSettings(path, text)
	if err != nil && !s.given["state"] {
		s, _ = parseSettings(path, stateLine.Find(text))
	}
	return s.State, err
}

// checkState returns an error if no user can run the service with the state folder: no folder is known, other users can
// write to it, or its path is too long for the control socket.
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

// maxSocketPath is the maximum length of a socket path on all systems (sun_path), in bytes.
const maxSocketPath = 103

// ControlSocket returns the path of the control socket in the state folder. A running service listens there. The error
// wraps [blocklist.ErrTooLarge] if the path may be too long for the system.
func ControlSocket(state string) (path string, err error) {
	path = filepath.Join(state, "control.sock")
	if len(path) > maxSocketPath {
		err = fmt.Errorf("the path of the control socket, %s, has %d bytes: %w: it may have %d; name a shorter folder with the key state",
			path, len(path), blocklist.ErrTooLarge, maxSocketPath)
	}
	return path, err
}
