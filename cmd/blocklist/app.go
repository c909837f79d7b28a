package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// app has the state that all commands share.
type app struct {
	stdin  io.Reader
	stdout io.Writer // only for data; messages go to stderr
	stderr io.Writer
	dir    string        // the agency's folder, from -C
	ending ending        // JSON object that is printed at the end, if --json is given
	wait   time.Duration // maximum time to wait for another process's lock, from --wait

	clockIsRight bool // whether the clock counts as right even if it seems wrong, from --clock-is-right
}

// printf prints a message line to standard error.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintln(a.stderr, visible(fmt.Sprintf(format, args...)))
}

// waiting prints that the command waits for the process h, which has the lock.
func (a *app) waiting(h publish.Holder) { a.printf("waiting up to %s for %s", a.wait, h) }

// withLedger opens the agency's folder, calls the function do, and closes the folder.
func (a *app) withLedger(do func(*publish.Ledger) error) (err error) {
	l, err := publish.Open(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(err, "-C DIR names the agency's folder")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	l.SetWait(a.wait, a.waiting)
	if command := l.Exposed(); command != "" {
		a.printf("warning: other accounts of this machine can read the list; %s ends that", command)
	}
	l.ConfirmClock(a.confirmClock())
	return do(l)
}
