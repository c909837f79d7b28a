package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// exitError ends the program with an exit code. Its error is printed unless it is nil.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }
func (e exitError) Unwrap() error { return e.err }

// hinted is an error with a hint on how to fix it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// usage returns an error for a wrong command line.
func usage(format string, args ...any) error {
	return exitError{exitUsage, withHint(fmt.Errorf(format, args...), "blocklist --help and blocklist COMMAND --help show what there is, with examples")}
}

// args wraps a check of arguments, so that its error counts as wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%w", err)
		}
		return nil
	}
}

// report prints an error, and how to fix it if that is known.
func (a *app) report(err error) {
	a.printf("blocklist: error: %v", err)
	if held := (*guard.HeldError)(nil); errors.As(err, &held) {
		rest := *held.Report
		if rest.Held == 1 && len(rest.Findings) > 0 { // the error has said it
			rest.Held, rest.Findings = 0, rest.Findings[1:]
		}
		a.printFindings(rest, maxShown)
	}
	if hint := hintFor(err); hint != "" {
		a.printf("blocklist: hint: %s", hint)
	}
}

func hintFor(err error) string {
	if h := (hinted{}); errors.As(err, &h) {
		return h.hint
	}
	if u := (*formats.UnsupportedError)(nil); errors.As(err, &u) {
		return "--skip-unsupported leaves them out"
	}
	for _, known := range []struct {
		err  error
		hint string
	}{
		{context.Canceled, "it was interrupted before it was done; blocklist status shows where the list stands"},
		{blocklist.ErrBusy, "wait until the other command has finished, then try again"},
		{publish.ErrPending, "blocklist sign signs it, blocklist refuse drops it"},
		{publish.ErrNothingPending, "blocklist release makes the next release"},
		{publish.ErrUnchanged, "add, remove or import entries first; blocklist diff shows what would be released"},
		{publish.ErrSubscribed, "blocklist subscriber list shows who subscribes; for another recipient, remove the subscriber first"},
		{publish.ErrNoSubscriber, "blocklist subscriber list shows who subscribes"},
		{publish.ErrNotListed, "example.com and =example.com are two entries; blocklist entries shows what is listed"},
		{publish.ErrListed, "what the release lists needs no urgent order; leave it out"},
		{blocklist.ErrEquivocation, "ask the officers and the origin's operator which of the two digests is the right one; do not sign or push until that is clear"},
		{blocklist.ErrHeld, "remove what was not meant; or let exactly these findings pass with --override TEXT, which is recorded (urgent orders have no override)"},
		{blocklist.ErrClock, "set the clock; if it is right, --clock-is-right says so"},
		{blocklist.ErrDamaged, "keep the folder as it is, and compare it with a copy from before; blocklist log shows who did what"},
		{fs.ErrPermission, "check who owns the file and the folder"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return ""
}
