package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/httpfilter"
	"github.com/argine-dns/argine/blocklist/icap"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) icap() *cobra.Command {
	var in input
	var listen, blockedBy string
	cmd := &cobra.Command{
		Use:   "icap FILE|DIR",
		Short: "Have proxies refuse what is listed, as their ICAP service",
		Long: `Serve as the ICAP service of proxies (RFC 3507, REQMOD), which then refuse what is listed: icap://ADDRESS:PORT/reqmod. The
service takes the same files and folders as lookup. When one changes, the answers and the ISTag follow within 2 seconds.

A request for something listed gets status 451 (RFC 7725), with list, category and reference as a page, or as JSON for
programs. An entry with status=monitor does not block. A malformed request gets 400, and a header of more than 128 KiB gets
431, as HTTP responses inside ICAP: the proxy does not count them as failures of the service. For CONNECT, only the host and
the port are known; URL entries need http, or https that the proxy decrypts. While there is no list yet, requests get 503:
the proxy's settings decide whether they pass (bypass= of Squid's icap_service).

There is no TLS and no authentication: listen on an address that only the proxy can reach.`,
		Example: `  blocklist icap /var/lib/lists --listen 127.0.0.1:1344 --blocked-by https://isp.example/

  icap_enable on
  icap_service listed reqmod_precache bypass=off icap://127.0.0.1:1344/reqmod
  adaptation_access listed allow all`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if u, err := url.Parse(blockedBy); blockedBy != "" && (err != nil || u.Host == "") {
				return usage("--blocked-by %q: write https://host/path", blockedBy)
			}
			s, err := a.openSource(cmd.Context(), &in, args[0])
			if err != nil {
				return err
			}
			defer s.end()
			var config net.ListenConfig
			l, err := config.Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return withHint(err, "--listen ADDRESS:PORT chooses another place")
			}
			log := slog.New(slog.NewTextHandler(a.stderr, nil))
			log.InfoContext(cmd.Context(), "serving", slog.String("service", "icap://"+l.Addr().String()+icap.Path))
			server := icap.Server{
				Filter:  httpfilter.Filter{List: s, BlockedBy: blockedBy},
				Version: s.Version, Ready: s.ready, Log: log,
			}
			if err := server.Serve(cmd.Context(), l); err != nil {
				return fmt.Errorf("serving: %w", err)
			}
			log.InfoContext(cmd.Context(), "ended")
			return nil
		},
	}
	in.flags(cmd, "format")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:1344", "the `ADDRESS` and port to serve at")
	cmd.Flags().StringVar(&blockedBy, "blocked-by", "", "the `URL` of the operator of the proxy, for the Link field of a refusal")
	return cmd
}
