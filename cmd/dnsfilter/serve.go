package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// serveFlags has the flags of serve. They override the settings file.
type serveFlags struct {
	settings  string
	listen    []string
	upstream  []string
	lists     []string
	logFormat string
	verbose   bool
	takeOver  bool
}

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [-c dnsfilter.yaml] [--listen ADDR]... [--upstream ADDR]... [--list FILE]...",
		Short: "Answer queries",
		Long: `Answers queries until SIGTERM or SIGINT, then finishes those in flight within half a second; a second signal ends it at once.
Settings and local lists are read again when they change, and on SIGHUP; a bad file changes nothing.

Restart without losing a query: with --take-over a new server takes the place of the one that runs with the same state folder,
under the same user: settings that change with a restart only, and a new version, come into force. While it reads its lists the
old one answers; if it fails, the old one goes on. This is for servers that are started by hand or by a script.

Under systemd: systemctl restart dnsfilter; a server that it runs refuses a successor. Sockets that systemd passes (LISTEN_FDS)
are used where their address is one of listen, and it keeps them over a restart.`,
		Example: `  dnsfilter serve --listen 127.0.0.1:5353 --upstream 192.0.2.53 --list hosts.txt
  dnsfilter serve -c /etc/dnsfilter/dnsfilter.yaml
  dnsfilter serve -c /etc/dnsfilter/dnsfilter.yaml --take-over`,
		Args: unknown.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.serve(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.settings, "config", "c", "", "settings `file`")
	flags.StringArrayVar(&f.listen, "listen", nil, "`address` to answer on, over UDP and TCP (instead of those in the settings)")
	flags.StringArrayVar(&f.upstream, "upstream", nil, "`address` of a resolver (instead of those in the settings)")
	flags.StringArrayVar(&f.lists, "list", nil, "`file` of names to block, in any format (after those in the settings)")
	flags.BoolVar(&f.takeOver, "take-over", false, "take the place of the server that runs, if one does")
	flags.StringVar(&f.logFormat, "log", "text", "`format` of the log: text or json")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return cmd
}

func (f *serveFlags) serve(cmd *cobra.Command) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log, err := newLog(cmd.ErrOrStderr(), f.logFormat, level)
	if err != nil {
		return err
	}
	sockets := passedSockets
	if f.takeOver {
		predecessor, err := f.predecessor(cmd.Context())
		switch {
		case err == nil:
			sockets = predecessor.Sockets
			defer predecessor.Close() //nolint:errcheck // it was told all, or finds out that this failed
		case !errors.Is(err, service.ErrNotRunning):
			return err
		}
	}
	service, err := service.New(f.read, log)
	if err != nil {
		return err
	}
	service.Sockets = sockets
	return service.Run(cmd.Context(), hangups(cmd.Context()))
}

// predecessor asks the running server to release its state folder for this process. It first checks the settings, so
// that the old server does not stop for a new one that fails.
func (f *serveFlags) predecessor(ctx context.Context) (*service.Predecessor, error) {
	s, err := f.read()
	if err != nil {
		return nil, err
	}
	if err := s.TrustState(); err != nil {
		return nil, err
	}
	if _, err := s.LoadServer(); err != nil {
		return nil, err
	}
	return service.TakeOver(ctx, s.State)
}

// passedSockets returns the sockets that systemd has passed to this process.
func passedSockets() (service.Sockets, error) {
	files := activation.Files(true)
	return service.Sockets{Files: files, Held: len(files) > 0}, nil
}

// read reads the settings and applies the flags.
func (f *serveFlags) read() (*config.Settings, error) {
	s, err := readSettings(f.settings)
	if err != nil {
		return nil, err
	}
	if err := s.Override(f.listen, f.upstream, f.lists); err != nil {
		return nil, usageError{err, "see dnsfilter serve --help"}
	}
	return s, nil
}

func readSettings(path string) (*config.Settings, error) {
	if path == "" {
		return config.Default(), nil
	}
	return config.Read(path)
}

// hangups returns a channel that receives each SIGHUP. It is never closed.
func hangups(ctx context.Context) <-chan struct{} {
	signals, out := make(chan os.Signal, 1), make(chan struct{})
	notifyHangup(signals)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case out <- struct{}{}:
			}
		}
	}()
	return out
}
