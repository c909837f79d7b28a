package rpz

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// betweenWarnings is the shortest time between two warnings of a zone about refused requests.
const betweenWarnings = time.Minute

// refused counts a refused request, and logs the reason. If a secondary may copy the zone, but its request is not
// signed correctly, that is a warning. All other refusals are in the verbose log only, which names clients.
func (z *Zone) refused(client netip.Addr, kind string, signed bool, rcode, tsigError int) {
	z.count(func(n *counts) { n.Refused++ })
	c := z.config.Load()
	level, reason := slog.LevelDebug, dns.RcodeToString[rcode]
	switch {
	case !c.allows(client):
		reason = "its address is not in allow"
	case tsigError != dns.RcodeSuccess:
		level, reason = slog.LevelWarn, "its signature is wrong: "+dns.RcodeToString[tsigError]
	case !signed && len(c.Keys) > 0:
		level, reason = slog.LevelWarn, "it is not signed"
	}
	if level == slog.LevelWarn && !z.mayWarn() {
		level = slog.LevelDebug
	}
	z.log().Log(context.Background(), level, "refused a request for the zone", slog.Any("client", client), slog.String("type", kind),
		slog.String("reason", reason))
}

// mayWarn reports whether enough time has passed since the last warning. If so, it records the current time as that of
// the last warning.
func (z *Zone) mayWarn() bool {
	now, last := time.Now().UnixNano(), z.warned.Load()
	return now-last >= int64(betweenWarnings) && z.warned.CompareAndSwap(last, now)
}
