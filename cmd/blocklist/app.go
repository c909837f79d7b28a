package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/argine-dns/argine/blocklist/publish"
)

// app is what the commands share.
type app struct {
	stdin  io.Reader
	stdout io.Writer // for data, and nothing else
	stderr io.Writer
	dir    string // the agency's folder, from -C
}

// Exit codes. For lookup, failed means not listed, and usage means that it could not tell.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitPartly = 3 // an order was imported, and some of it is not listed
)

// printf writes a line about what was done to standard error.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintln(a.stderr, visible(fmt.Sprintf(format, args...)))
}

// withLedger opens the agency's folder for one command.
func (a *app) withLedger(do func(*publish.Ledger) error) error {
	l, err := publish.Open(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(err, "-C DIR names the agency's folder; blocklist init makes one")
	}
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // every change is on the disk already
	return do(l)
}
