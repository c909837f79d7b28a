// Command dnsfilter is a resolver that enforces blocklists: signed lists that it follows, and the operator's own files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/cmd/internal/man"
	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/config"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitUnsure = 2 // a lookup could not decide; the same code as in blocklist lookup
)

// run runs the command and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the program
	cmd := rootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if mistakes, ok := errors.AsType[config.Errors](err); ok {
		fmt.Fprintln(stderr, mistakes)
		return exitFailed
	}
	fmt.Fprintf(stderr, "dnsfilter: error: %v\n", err)
	if usage, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "dnsfilter: hint: %s\n", usage.hint)
		return exitUsage
	}
	if _, ok := errors.AsType[unsure](err); ok {
		return exitUnsure
	}
	if known, ok := errors.AsType[hinted](err); ok {
		fmt.Fprintf(stderr, "dnsfilter: hint: %s\n", known.hint)
	} else if errors.Is(err, blocklist.ErrBusy) {
		fmt.Fprintln(stderr, "dnsfilter: hint: end that process, or name another folder for this one with the key state in its settings")
	}
	return exitFailed
}

// hinted is an error with a hint on how to fix it.
type hinted struct {
	error
	hint string
}

// usageError is an error for a wrong command line.
type usageError struct {
	error
	hint string
}

func rootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dnsfilter",
		Short: "A resolver that enforces blocklists",
		Long: `dnsfilter answers DNS queries: names that a list holds as its settings say, all others as the upstream resolvers do.

Exit codes: 0 done, 1 failed, 2 wrong usage, or a lookup could not tell.`,
		Example: `  dnsfilter serve --listen 127.0.0.1:5353 --upstream 192.0.2.53 --list hosts.txt
  dnsfilter check -c /etc/dnsfilter/dnsfilter.yaml
  dnsfilter serve -c /etc/dnsfilter/dnsfilter.yaml
  dnsfilter lookup -c /etc/dnsfilter/dnsfilter.yaml www.example.com
  dnsfilter status -c /etc/dnsfilter/dnsfilter.yaml`,
		Args:          unknown.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildinfo.Text(),
	}
	cmd.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	cmd.AddCommand(
		serveCommand(), checkCommand(), lookupCommand(),
		statusCommand(), holdsCommand(), acceptCommand(), rejectCommand(), applyCommand(),
		reloadCommand(), flushCommand(), cacheCommand(), statsCommand(), man.Command("dnsfilter"),
	)
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return wrongUsage(c, unknown.Flag(c, err)) })
	for _, c := range append(cmd.Commands(), cmd) {
		check := c.Args
		c.Args = func(c *cobra.Command, given []string) error {
			if err := check(c, given); err != nil {
				return wrongUsage(c, err)
			}
			return nil
		}
	}
	unknown.Strict(cmd, wrongUsage)
	return cmd
}

// wrongUsage makes err an error for a wrong command line of c.
func wrongUsage(c *cobra.Command, err error) error {
	return usageError{err, c.CommandPath() + " --help shows what it takes, with examples"}
}

// newLog returns a logger that writes lines of text or JSON to w. It drops messages below the level.
func newLog(w io.Writer, format string, level slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usageError{fmt.Errorf("unknown log format %q", format), "there are text and json"}
}
