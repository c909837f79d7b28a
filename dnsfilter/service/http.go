package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// webListeners has the open sockets of the HTTP servers.
type webListeners struct {
	metrics, profiles dnsfilter.Listeners // at most one socket each
	stopPage          dnsfilter.Listeners
	noTLS             dnsfilter.Listeners // sockets of the stop page that refuse TLS connections
	zoneFiles         dnsfilter.Listeners
	operator          dnsfilter.Listeners // socket of the operator's page, at most one
}

// listenHTTP opens the sockets for HTTP that the settings ask for.
func listenHTTP(ctx context.Context, s *config.Settings) (*webListeners, error) {
	l := new(webListeners)
	for _, part := range []struct {
		to   *dnsfilter.Listeners
		what string
		at   []netip.AddrPort
	}{
		{&l.metrics, "metrics", []netip.AddrPort{s.Metrics}},
		{&l.profiles, "pprof", []netip.AddrPort{s.Pprof}},
		{&l.operator, "web", []netip.AddrPort{s.Web}},
		{&l.zoneFiles, "zone_files", []netip.AddrPort{s.ZoneFiles.At}},
		{&l.stopPage, "stop_page", s.StopPage.HTTP},
		{&l.noTLS, "stop_page", s.StopPage.HTTPS},
	} {
		for _, at := range part.at {
			if !at.IsValid() {
				continue
			}
			opened, err := dnsfilter.Listen(ctx, "tcp://"+at.String())
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", part.what, err), l.close())
			}
			part.to.TCP = append(part.to.TCP, opened.TCP...)
		}
	}
	return l, nil
}

func (l *webListeners) close() error {
	return errors.Join(l.metrics.Close(), l.profiles.Close(), l.stopPage.Close(), l.noTLS.Close(), l.zoneFiles.Close(),
		l.operator.Close())
}

// serveHTTP starts the HTTP servers on all sockets, as goroutines of the group g. They run until ctx ends.
func (s *Service) serveHTTP(ctx context.Context, g *errgroup.Group, web *webListeners) {
	for _, part := range []struct {
		at    []net.Listener
		serve func(context.Context, net.Listener) error
	}{
		{web.zoneFiles.TCP, s.serveZoneFiles},
		{web.metrics.TCP, s.serveMetrics},
		{web.operator.TCP, s.serveWeb},
		{web.profiles.TCP, servePprof},
		{web.stopPage.TCP, s.stopPage.ServeHTTPOn},
		{web.noTLS.TCP, s.stopPage.RefuseTLSOn},
	} {
		for _, l := range part.at {
			g.Go(func() error { return part.serve(ctx, l) })
		}
	}
}
