package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// deskFlags are the flags of desk.
type deskFlags struct {
	listen, userHeader string
	proxies            []string
	signOut            string
	platforms          string
	pushTo, from       string
	receipts           receiptsFlags
}

func (a *app) desk() *cobra.Command {
	var f deskFlags
	cmd := &cobra.Command{
		Use:   "desk",
		Short: "Serve the web application in which the list is decided on",
		Long: `Serve the desk: a web application for the people who decide on the list. It works beside the other commands, until it is
interrupted. Officers' keys never come there: they sign on their own machines.

Alone, at a loopback address, the command prints a one-time link; it opens the desk as the account that has started the
command. For a team, the desk stands behind a reverse proxy that knows the people: --user-header is the header in which it
names them, and --proxy the addresses from which that header counts. Everything else is refused. "blocklist role" gives each
person a role. --sign-out is the path at which the proxy ends a session; each page leads there.

With --receipts, the desk shows which subscriber enforces what, as in blocklist receipts. With --push, a reviewer brings
signed releases to that origin.`,
		Example: `  blocklist -C DIR desk
  blocklist -C DIR desk --receipts ORIGIN --push ORIGIN
  blocklist -C DIR desk --listen 192.0.2.1:8471 --user-header X-Remote-User --proxy 192.0.2.10`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serveDesk(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8471", "the `ADDRESS` and port to serve at")
	cmd.Flags().StringVar(&f.userHeader, "user-header", "", "the `HEADER` in which a reverse proxy names the person")
	cmd.Flags().StringSliceVar(&f.proxies, "proxy", nil, "an `ADDRESS` or network from which --user-header counts; may be repeated")
	cmd.Flags().StringVar(&f.signOut, "sign-out", "", "the `PATH` at which the reverse proxy ends a session")
	platformsFlag(cmd, &f.platforms)
	cmd.Flags().StringVar(&f.pushTo, "push", "", "the `URL` or folder of the origin to which signed releases go")
	cmd.Flags().StringVar(&f.from, "receipts", "", "where receipts are read: a `FILE`, the folder or the URL of an origin")
	f.receipts.sourceFlags(cmd)
	return cmd
}

func (a *app) serveDesk(ctx context.Context, f deskFlags) error {
	o, err := a.deskOptions(f)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return withHint(err, "--listen ADDRESS:PORT chooses another place")
	}
	defer listener.Close() //nolint:errcheck // Serve has closed it
	at := "http://" + listener.Addr().String()
	o.Link = func(path string) { a.printf("open this link once, within 15 minutes: %s%s", at, path) }
	d, err := desk.New(o)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // it was only read
	o.Log.InfoContext(ctx, "serving the desk", slog.String("address", listener.Addr().String()))
	return d.Serve(ctx, listener)
}

// deskOptions returns the options of the desk that the flags stand for.
func (a *app) deskOptions(f deskFlags) (o desk.Options, err error) {
	version, _, _ := strings.Cut(buildinfo.Text(), "\n")
	o = desk.Options{
		Dir: a.dir, Log: slog.New(slog.NewTextHandler(a.stderr, nil)),
		UserHeader: f.userHeader, SignOut: f.signOut, Deadline: f.receipts.deadline,
		Prepare: a.prepareForDesk, Notes: notesOf, PushTo: f.pushTo, Program: "blocklist " + version,
	}
	if o.Proxies, err = parseProxies(f.proxies); err != nil {
		return o, err
	}
	if err := f.checkPlace(); err != nil {
		return o, err
	}
	if err := a.outside(f, &o); err != nil {
		return o, err
	}
	if u, err := user.Current(); err == nil {
		o.User = u.Username
	}
	return o, nil
}

// outside sets those options of the desk that are about the origin, the receipts and the platforms.
func (a *app) outside(f deskFlags, o *desk.Options) error {
	if f.pushTo != "" {
		if err := checkOrigin(f.pushTo); err != nil {
			return err
		}
		o.Push = deliverTo(f.pushTo)
	}
	if f.from != "" {
		if err := f.receipts.checkSource(f.from); err != nil {
			return err
		}
		o.Receipts = func(ctx context.Context, l *publish.Ledger) (*report.Receipts, error) {
			return a.receiptsFor(ctx, l, reportFlags{from: f.from, receipts: f.receipts})
		}
	}
	var err error
	o.Platforms, err = readPlatforms(f.platforms)
	return err
}

// prepareForDesk prepares a ledger that the desk has opened: how long its changes wait for the lock, and whether a
// doubted clock counts as right. It warns if other accounts can read the list.
func (a *app) prepareForDesk(l *publish.Ledger) {
	l.SetWait(a.wait, nil)
	if command := l.Exposed(); command != "" {
		a.printf("warning: other accounts of this machine can read the list; %s ends that", command)
	}
	l.ConfirmClock(func(error) bool { return a.clockIsRight })
}

// checkPlace fails if the flags would make the desk reachable without authentication: only a proxy with --user-header,
// or a loopback address, is allowed.
func (f deskFlags) checkPlace() error {
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return usage("--listen %q: an address and a port are needed, such as 127.0.0.1:8471", f.listen)
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case (f.userHeader == "") != (len(f.proxies) == 0):
		return usage("--user-header and --proxy go together")
	case f.signOut != "" && (f.userHeader == "" || f.signOut[0] != '/' || strings.HasPrefix(f.signOut, "//")):
		return usage("--sign-out %q: a path at the proxy is needed, such as /oauth2/sign_out, and --user-header", f.signOut)
	case f.userHeader == "" && (err != nil || !addr.IsLoopback()):
		return usage("--listen %s: without --user-header and --proxy, the desk serves at a loopback address only", f.listen)
	}
	return nil
}

func parseProxies(texts []string) (all []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, usage("--proxy %q: an address or a network is needed, such as 192.0.2.10", text)
		}
		all = append(all, p)
	}
	return all, nil
}
