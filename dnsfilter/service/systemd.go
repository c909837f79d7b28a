package service

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/miekg/dns"
)

// notify sends a state to systemd, if systemd has started this process (sd_notify(3)). If sending fails, it logs the
// error.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("telling systemd failed", slog.Any("error", err))
	}
}

// watchdog keeps the watchdog of systemd (WatchdogSec=) from ending this process, as long as the server answers a query
// at the address. It returns when ctx ends.
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

// answers checks that the server at an address answers. It sends a query for which the server needs no upstream, and
// returns an error if there is no answer within the given time.
func answers(ctx context.Context, at net.Addr, within time.Duration) error {
	c := dns.Client{Net: at.Network(), Timeout: within}
	_, _, err := c.ExchangeContext(ctx, new(dns.Msg).SetQuestion(".", dns.TypeANY), reachable(at))
	return err
}
