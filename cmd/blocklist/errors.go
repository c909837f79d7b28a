package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// Exit codes. Function outcomes says what each code means.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitAttention
	exitHeld
	exitSignatures
	exitNothing
	exitBusy
	exitUnavailable
	exitRefused
	exitInterrupted = 130 // the code with which shells report an interrupt
)

// outcome is an exit code, its meaning, and the errors that lead to it.
type outcome struct {
	code       int
	name, text string
	errs       []error
}

// outcomes returns the table of exit codes. If an error fits several outcomes, the first one counts. A refusal comes
// before an unreachable origin, because an error about several origins may include both.
func outcomes() []outcome {
	return []outcome{
		{exitDone, "done", "done; of lookup: listed", nil},
		{exitFailed, "failed", "failed for another reason; of lookup: not listed", nil},
		{exitUsage, "usage", "wrong usage: nothing was tried; of lookup: could not tell, so it may be listed", nil},
		{exitAttention, "attention", "done, and a person must look: some of an import is not listed, a root or release has expired, a new root waits for signatures and was not pushed, a subscriber is late", nil},
		{exitInterrupted, "interrupted", "interrupted before it was done", []error{context.Canceled}},
		{exitHeld, "held", "held by the guards, or since urgent orders would end by accident: nothing has changed", []error{blocklist.ErrHeld, publish.ErrEnds}},
		{exitSignatures, "signatures", "too few officers have signed", []error{blocklist.ErrSignatures}},
		{exitNothing, "nothing", "there is nothing to do: nothing is pending, or nothing has changed", []error{publish.ErrNothingPending, publish.ErrUnchanged}},
		{exitBusy, "busy", "another process has the lock", []error{blocklist.ErrBusy}},
		{exitRefused, "refused", "refused: by the origin, or a signature, an expiry, the clock, a digest or the history is not as it must be", []error{
			blocklist.ErrUntrusted, blocklist.ErrClock, blocklist.ErrRollback, blocklist.ErrExpired,
			blocklist.ErrDigest, blocklist.ErrDamaged,
		}},
		{exitUnavailable, "unavailable", "an origin can't be reached, or can't answer now: try again later", []error{blocklist.ErrUnavailable}},
	}
}

// outcomeOf returns the outcome of a command that ended with err.
func outcomeOf(err error) outcome {
	all := outcomes()
	with := func(code int) outcome {
		return all[slices.IndexFunc(all, func(o outcome) bool { return o.code == code })]
	}
	if e := (exitError{}); errors.As(err, &e) {
		return with(e.code)
	}
	if err == nil {
		return with(exitDone)
	}
	for _, o := range all {
		if slices.ContainsFunc(o.errs, func(known error) bool { return errors.Is(err, known) }) {
			return o
		}
	}
	if network := (*url.Error)(nil); errors.As(err, &network) {
		return with(exitUnavailable)
	}
	return with(exitFailed)
}

// exitCodes returns the help topic with the table of exit codes.
func exitCodes() *cobra.Command {
	all := outcomes()
	slices.SortFunc(all, func(a, b outcome) int { return cmp.Compare(a.code, b.code) })
	var text strings.Builder
	text.WriteString("How a command ends:\n\n")
	for _, o := range all {
		fmt.Fprintf(&text, "  %3d  %-11s  %s\n", o.code, o.name, o.text)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: text.String()}
}

// end prints the error of a command, and, with --json, its ending. It returns the exit code.
func (a *app) end(cmd *cobra.Command, err error) int {
	o := outcomeOf(err)
	if e := (exitError{}); errors.As(err, &e) {
		err = e.err // may be nil: the command has said it all
	}
	if wrong := (usageError{}); errors.As(err, &wrong) {
		err = withHint(err, "%s --help shows what it takes, with examples", cmd.CommandPath())
	}
	if err != nil {
		a.report(err)
	}
	if wantsJSON(cmd) {
		if failed := a.endJSON(cmd, o, err); failed != nil {
			a.report(failed)
			return exitFailed
		}
	}
	return o.code
}

// exitError ends the program with an exit code. The wrapped error is printed; it may be nil.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }
func (e exitError) Unwrap() error { return e.err }

// hinted is an error with a hint on how to correct it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// usageError is an error for a wrong command line. [app.end] adds the hint with the name of the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage returns an error for a wrong command line.
func usage(format string, args ...any) error {
	return exitError{exitUsage, usageError{fmt.Errorf(format, args...)}}
}

// wrongUsage makes err an error for a wrong command line.
func wrongUsage(_ *cobra.Command, err error) error { return usage("%w", err) }

// args wraps a check of arguments, so that its errors count as wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return wrongUsage(cmd, err)
		}
		return nil
	}
}

// noArgs refuses arguments. For a command with subcommands, an argument counts as the name of one.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := unknown.NoArgs(cmd, args); err != nil {
		return wrongUsage(cmd, err)
	}
	return nil
}

// report prints an error, with the findings of the guards and a hint if it has them.
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
	if part := (*publish.PartError)(nil); errors.As(err, &part) {
		switch {
		case filepath.Base(part.Part) == "urgent.json":
			return "no one has signed what is in it: remove the file, and ask for its orders again"
		case strings.HasSuffix(part.Part, ".urgent.json"):
			return "bring it back from a backup; without one, remove the file: its orders end with the next release"
		case part.Pending():
			return "blocklist refuse drops it, blocklist release makes it again"
		}
		return "blocklist recover ORIGIN DIR --root ROOT.json brings it back"
	}
	for _, known := range []struct {
		err  error
		hint string
	}{
		{context.Canceled, "it was interrupted before it was done; blocklist status shows where the list stands"},
		{blocklist.ErrBusy, "wait until that process has finished, or end it; a command that changes a list waits longer with --wait DURATION"},
		{publish.ErrNoAuthor, "--author NAME, or " + authorVariable + " in the environment, names the person who makes the change"},
		{publish.ErrPending, "blocklist sign signs it, blocklist refuse drops it"},
		{publish.ErrNothingPending, "blocklist release makes the next release"},
		{publish.ErrUnchanged, "add, remove or import entries first; blocklist diff shows what would be released"},
		{publish.ErrSubscribed, "blocklist subscriber list shows who subscribes; for another recipient, remove the subscriber first"},
		{publish.ErrNoSubscriber, "blocklist subscriber list shows who subscribes"},
		{publish.ErrNotListed, "example.com and =example.com are two entries; blocklist entries shows what is listed"},
		{publish.ErrEnds, "blocklist urgent keep lists what they block, blocklist urgent end ENTRY lets one end; then make the release"},
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
