package service

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/download"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// webSource fetches the file of a list from URLs.
type webSource struct {
	file    config.LocalFile
	urls    []string
	refresh time.Duration
}

// times returns the times according to the settings. The list becomes stale after four refresh intervals, but not
// before a day has passed.
func (s *webSource) times(*fetchState) fetchTimes {
	refresh := s.refresh
	if refresh == 0 {
		refresh = config.DefaultRefresh
	}
	return fetchTimes{refresh: refresh, retry: min(refresh, time.Hour), expire: max(4*refresh, 24*time.Hour)}
}

func (s *webSource) has(state *fetchState) bool { return slices.Contains(s.urls, state.Web.URL) }

func (s *webSource) fetch(ctx context.Context, state *fetchState, by fetchReview) (replaced bool, err error) {
	from := download.Source{URLs: s.urls, Path: s.file.Path, Review: by.whole}
	if state.Web, replaced, err = from.Fetch(ctx, state.Web); err == nil {
		state.From, state.Zone = download.Redacted(state.Web.URL), rpz.Copy{}
	}
	return replaced, err
}

// zoneSource copies a policy zone from its primaries by zone transfer.
type zoneSource struct{ rpz.Secondary }

// Bounds for the times in the SOA record of a zone. They protect against extreme values.
const (
	leastRefresh, mostRefresh = 10 * time.Second, 24 * time.Hour
	leastRetry, mostRetry     = 5 * time.Second, time.Hour
	leastExpire               = 2 * time.Hour
	retryWithoutZone          = 10 * time.Minute
)

// times returns the times of the zone's SOA record, within bounds.
func (s *zoneSource) times(state *fetchState) fetchTimes {
	z := &state.Zone
	t := fetchTimes{
		refresh: min(max(z.Refresh, leastRefresh), mostRefresh), retry: min(max(z.Retry, leastRetry), mostRetry),
		expire: max(z.Expire, leastExpire),
	}
	if *z == (rpz.Copy{}) {
		t.retry = retryWithoutZone
	}
	return t
}

// has returns false for every state, so that each start asks the primaries for the serial, which costs little.
func (s *zoneSource) has(*fetchState) bool { return false }

func (s *zoneSource) fetch(ctx context.Context, state *fetchState, by fetchReview) (replaced bool, err error) {
	from := s.Secondary
	from.Review, from.Apply = by.whole, by.changes
	u, err := from.Update(ctx)
	if err == nil {
		state.From, state.Zone, state.Web = u.From.String(), u.Copy, download.State{}
	}
	if u.Replaced {
		state.Foreign = u.Foreign
	}
	return u.Replaced, err
}

// notified handles a NOTIFY message (RFC 1996). If it comes from a primary of a fetched zone, the zone is fetched now.
// notified returns the response, or nil if no fetched zone has that name.
func (s *running) notified(message []byte, client netip.Addr) []byte {
	current := s.active.Load()
	if current == nil {
		return nil
	}
	for _, f := range current.fetched {
		z, ok := f.source.(*zoneSource)
		if !ok {
			continue
		}
		answer, fromPrimary := z.Notified(message, client)
		if fromPrimary {
			f.log.Debug("notified of a changed zone", slog.Any("primary", client))
			f.fetchNow()
		}
		if answer != nil {
			return answer
		}
	}
	return nil
}
