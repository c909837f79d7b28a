package publish

import (
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// changesOf describes the differences between two roots in words.
func changesOf(was, is trust.RootSpec) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, k := range was.Officers {
		if !slices.ContainsFunc(is.Officers, k.Equal) {
			say("officer goes: %s", describeKey(k))
		}
	}
	for _, k := range is.Officers {
		i := slices.IndexFunc(was.Officers, k.Equal)
		switch {
		case i < 0:
			say("officer comes: %s", describeKey(k))
		case was.Officers[i].Name != k.Name:
			say("officer %s is now named %s", was.Officers[i].Name, describeKey(k))
		}
	}
	if was.Threshold != is.Threshold {
		say("signatures needed: %d, before %d", is.Threshold, was.Threshold)
	}
	if !was.Online.Equal(is.Online) {
		say("the origin's key: %s, before %s", describeKey(is.Online), describeKey(was.Online))
	}
	if was.Urgent != is.Urgent {
		say("urgent orders: %s, before: %s", UrgentLimits(is.Urgent), UrgentLimits(was.Urgent))
	}
	if was.Confidential != is.Confidential {
		say("the list becomes confidential: encrypted to its subscribers")
	}
	if len(all) == 0 {
		say("renewed until %s", is.Expires.Format(time.DateOnly))
	}
	return all
}

// UrgentLimits limit what one officer may list alone, if the root allows it: at most Entries targets (up to 16) on top
// of one release, each for at most Hours (up to 24). The zero value allows nothing.
type UrgentLimits struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

func (u UrgentLimits) String() string {
	if u == (UrgentLimits{}) {
		return "none"
	}
	return fmt.Sprintf("one officer alone may list %d on top of a release, each for %d hours", u.Entries, u.Hours)
}
