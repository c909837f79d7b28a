package service

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/miekg/dns"
)

// notify tells systemd, if it has started this process, what state it is in (sd_notify(3)).
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("telling systemd failed", slog.Any("error", err))
	}
}

// watchdog tells systemd that queries are answered, as often as it wants to hear it (WatchdogSec=), for as long as that
// is so.
func watchdog(ctx context.Context, at net.Addr, log *slog.Logger) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("reading what watchdog systemd has", slog.Any("error", err))
	}
	if within <= 0 {
		return
	}
	tick := time.NewTicker(within / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := answers(ctx, at, within/4); err != nil {
			log.Warn("a query to this server was not answered; systemd is not told that it is well", slog.Any("error", err))
			continue
		}
		notify(log, daemon.SdNotifyWatchdog)
	}
}

// answers asks what is answered without an upstream.
func answers(ctx context.Context, at net.Addr, within time.Duration) error {
	c := dns.Client{Net: at.Network(), Timeout: within}
	_, _, err := c.ExchangeContext(ctx, new(dns.Msg).SetQuestion(".", dns.TypeANY), reachable(at))
	return err
}
