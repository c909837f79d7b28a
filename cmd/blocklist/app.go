package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/argine-dns/argine/blocklist/publish"
)

// app has the state that all commands share.
type app struct {
	stdin  io.Reader
	stdout io.Writer // only for data
	stderr io.Writer
	dir    string // the agency's folder, from -C
	ending ending // for --json

	clockIsRight bool // from --clock-is-right
}

// printf prints a message line to standard error.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintln(a.stderr, visible(fmt.Sprintf(format, args...)))
}

// withLedger opens the agency's folder, runs do, and closes the folder.
func (a *app) withLedger(do func(*publish.Ledger) error) error {
	l, err := publish.Open(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(err, "-C DIR names the agency's folder; blocklist init makes one")
	}
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // every change is on the disk already
	if a.clockIsRight {
		l.ConfirmClock()
	}
	return do(l)
}
