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
	Counting bool      // whether the numbers are still being counted
	Counted  time.Time // when the numbers were counted; if Counting is set, for an earlier state of the list
}

// The maximum times that a request waits for the numbers: countedWithin if they were never counted, newerWithin if
// there are older numbers to show. Counting reads every listed URL from the ledger; for a long list on a busy machine,
// this takes longer than the time limit of a request.
const (
	countedWithin = 2 * time.Second
	newerWithin   = 100 * time.Millisecond
)

func (v *visit) platforms() error {
	summary := func(ctx context.Context) (counted, error) {
		at := time.Now()
		all, err := takedown.Summary(ctx, v.ledger, v.Platforms)
		return counted{all, at}, err
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), countedWithin)
	defer cancel()
	found, current, err := v.takedowns.latest(ctx, newerWithin, v.now.Head.Hash, summary)
	p := platformsPage{Counting: !current, Counted: found.at}
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return v.showCounting(p)
	case err != nil:
		return err
	}
	all := found.platforms
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
	if p.Counting {
		return v.showCounting(p)
	}
	return v.show("platforms", "platforms.title", p)
}

// showCounting shows a page whose numbers are still being counted, and makes the browser load it again after 3 seconds.
func (v *visit) showCounting(p platformsPage) error {
	err := v.show("platforms", "platforms.title", p)
	if err == nil {
		v.answer.lasts = clockFor
		v.answer.header.Set("Refresh", "3")
	}
	return err
}
