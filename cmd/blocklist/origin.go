package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) origin() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "origin",
		Short: "Make and run the server that accepts pushes and serves releases",
		Long: `Make and run the server that accepts pushes of signed releases and serves them to subscribers. Its folder has the releases
and an online key, which says that nothing newer exists; it can't add an entry.`,
		Example: `  blocklist origin init ORIGIN
  blocklist origin trust ORIGIN DIR/root.json
  blocklist origin serve ORIGIN --listen 127.0.0.1:8470`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("a command is missing: origin init, origin trust, origin serve, origin rekey or origin subscriber")
		},
	}
	cmd.AddCommand(
		changing(a.originInit()), changing(a.originTrust()), a.originServe(), changing(a.originRekey()), a.originSubscriber(),
	)
	return cmd
}

func (a *app) originInit() *cobra.Command {
	return &cobra.Command{
		Use:     "init ORIGIN",
		Short:   "Make the origin's folder and its online key",
		Example: "  blocklist origin init ORIGIN",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := origin.Init(args[0])
			if err != nil {
				return err
			}
			return a.madeKey(filepath.Join(args[0], "online.pub"), public)
		},
	}
}

func (a *app) originRekey() *cobra.Command {
	return &cobra.Command{
		Use:   "rekey ORIGIN",
		Short: "Make one more online key, to replace the one in use",
		Long: `Make one more online key. The agency names it in the list's next root ("root --origin-key"); from the push of that
root on, the list is signed with it. Delete the old key when no list needs it any more.`,
		Example: "  blocklist origin rekey ORIGIN",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := origin.Open(args[0], origin.Options{})
			if err != nil {
				return err
			}
			public, path, err := o.Rekey(cmd.Context())
			if err != nil {
				return err
			}
			a.next("blocklist -C DIR root --origin-key %s", path)
			return a.madeKey(path, public)
		},
	}
}

func (a *app) originTrust() *cobra.Command {
	return &cobra.Command{
		Use:   "trust ORIGIN ROOT.json",
		Short: "Accept pushes for a list, by its signed root",
		Long: `Accept pushes for a list, by its signed root. The root must come from the agency by a way that you trust. From then on the
officers in the root decide what is accepted.`,
		Example: "  blocklist origin trust ORIGIN DIR/root.json",
		Args:    args(unknown.Args(2, 2)),
		RunE: func(_ *cobra.Command, args []string) error {
			root, err := readRoot(args[1])
			if errors.Is(err, fs.ErrNotExist) {
				return withHint(err, "the agency has DIR/root.json once enough officers have signed it")
			}
			if err != nil {
				return err
			}
			o, err := origin.Open(args[0], origin.Options{})
			if err != nil {
				return err
			}
			list, err := o.Trust(root)
			if err != nil {
				return err
			}
			if _, confidential, err := subscribe.ReadRoot(root); err == nil && confidential {
				a.printf("%s is confidential: it comes encrypted, and nothing in the clear is taken for it", list)
			}
			fingerprint, err := publish.Fingerprint(root)
			if err != nil {
				return err
			}
			a.result(fields{"origin": args[0], "list": list, "fingerprint": fingerprint})
			a.printf("%s accepts pushes for %s", args[0], list)
			a.printf("fingerprint of its root: %s; compare it with the agency by voice", fingerprint)
			return nil
		},
	}
}

func (a *app) originServe() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve ORIGIN",
		Short: "Serve the origin over HTTP until it is interrupted",
		Long: `Serve the origin over HTTP until the command is interrupted. TLS is optional, because all content is signed: put a reverse
proxy in front of the origin for it.`,
		Example: "  blocklist origin serve ORIGIN --listen 127.0.0.1:8470",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			log := slog.New(slog.NewTextHandler(a.stderr, nil))
			o, err := origin.Open(args[0], origin.Options{Log: log})
			if err != nil {
				return err
			}
			var config net.ListenConfig
			listener, err := config.Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return withHint(err, "--listen ADDRESS:PORT chooses another place")
			}
			log.InfoContext(cmd.Context(), "serving", slog.String("origin", args[0]), slog.String("address", listener.Addr().String()))
			return serve(cmd.Context(), o, netutil.LimitListener(listener, maxConnections), log)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8470", "the `ADDRESS` and port to serve at")
	return cmd
}

// maxConnections is the maximum number of an origin's open connections: enough for all event listeners and some
// thousand requests.
const maxConnections = 12_000

// shutdownTime is the maximum time for open requests after the server begins to stop.
const shutdownTime = 20 * time.Second

// serve serves requests until ctx ends, and then lets open requests complete within shutdownTime.
func serve(ctx context.Context, o *origin.Origin, listener net.Listener, log *slog.Logger) error {
	server := &http.Server{
		Handler:           o.Handler(), // sets the deadlines of bodies and answers
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signing := make(chan struct{})
	go func() {
		defer close(signing)
		o.Run(ctx)
	}()
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		ended <- server.Shutdown(last)
	}()
	err := server.Serve(listener)
	stop()
	err = errors.Join(ignore(err, http.ErrServerClosed), <-ended)
	<-signing
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	log.InfoContext(ctx, "ended")
	return nil
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
