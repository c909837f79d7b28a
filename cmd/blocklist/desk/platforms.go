package desk

import (
	"cmp"
	"context"

	"github.com/argine-dns/argine/blocklist/publish/takedown"
)

// platformsPage says how far each platform is with taking pages down.
type platformsPage struct {
	table[takedown.PlatformStatus]
	Together takedown.PlatformStatus
}

func (v *visit) platforms() error {
	summary := func(ctx context.Context) ([]takedown.PlatformStatus, error) {
		return takedown.Summary(ctx, v.ledger, v.Platforms)
	}
	all, err := v.takedowns.get(v.r.Context(), v.now.Head.Hash, summary)
	if err != nil {
		return err
	}
	var p platformsPage
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
