package desk

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// platformsPage has the progress of each platform in taking down listed pages.
type platformsPage struct {
	table[takedown.PlatformStatus]
	Together takedown.PlatformStatus
	Counting bool // the numbers are still being counted
}

// countedWithin is how long a request waits for the numbers. To count them, the desk reads every listed URL from the
// ledger: for a long list on a busy machine this takes longer than the time limit of a request.
const countedWithin = 2 * time.Second

func (v *visit) platforms() error {
	summary := func(ctx context.Context) ([]takedown.PlatformStatus, error) {
		return takedown.Summary(ctx, v.ledger, v.Platforms)
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), countedWithin)
	defer cancel()
	all, err := v.takedowns.get(ctx, v.now.Head.Hash, summary)
	var p platformsPage
	if p.Counting = ctx.Err() != nil && errors.Is(err, ctx.Err()); p.Counting {
		err = v.show("platforms", "platforms.title", p)
		if err == nil {
			v.answer.lasts = clockFor
			v.answer.header.Set("Refresh", "3")
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, s := range all {
		p.Together = p.Together.Add(s)
	}
	by := func(number func(takedown.PlatformStatus) uint64) column[takedown.PlatformStatus] {
		return func(a, b takedown.PlatformStatus) int { return cmp.Compare(number(a), number(b)) }
	}
	p.table, err = newTable(v.r.URL, all, "-open", map[string]column[takedown.PlatformStatus]{
		"platform": func(a, b takedown.PlatformStatus) int { return cmp.Compare(a.Platform, b.Platform) },
		"open":     by(func(s takedown.PlatformStatus) uint64 { return s.Open }),
		"returned": by(func(s takedown.PlatformStatus) uint64 { return s.Returned }),
		"removed":  by(func(s takedown.PlatformStatus) uint64 { return s.Removed }),
		"longer":   by(func(s takedown.PlatformStatus) uint64 { return s.UpLonger }),
		"oldest":   func(a, b takedown.PlatformStatus) int { return later(a.Oldest, b.Oldest) },
	})
	if err != nil {
		return err
	}
	return v.show("platforms", "platforms.title", p)
}
