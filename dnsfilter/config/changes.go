package config

import (
	"maps"
	"slices"
)

// Changes lists the differences between two settings.
type Changes struct {
	Added   []string `json:"added,omitempty"`   // names of the lists that only the next settings have
	Removed []string `json:"removed,omitempty"` // names of the lists that only the present settings have
	Changed []string `json:"changed,omitempty"` // names of the lists whose keys or values differ
	// Keys has the top-level keys, except lists, that were added or removed, or have another value.
	Keys    []string `json:"keys,omitempty"`
	Restart []string `json:"restart,omitempty"` // keys that changed and take effect only after a restart
	// Lost is the protection that the next settings no longer give; see [Settings.Losses].
	Lost []string `json:"lost,omitempty"`
}

// Changes returns the differences between these settings and the next settings.
func (s *Settings) Changes(next *Settings) Changes {
	c := Changes{Restart: s.Fixed(next), Lost: s.Losses(next)}
	for i := range next.Lists {
		l := &next.Lists[i]
		switch old := s.list(l.Rule.List); {
		case old == nil:
			c.Added = append(c.Added, l.Rule.List)
		case old.text != l.text:
			c.Changed = append(c.Changed, l.Rule.List)
		}
	}
	for _, name := range s.ListNames() {
		if next.list(name) == nil {
			c.Removed = append(c.Removed, name)
		}
	}
	keys := slices.AppendSeq(slices.Collect(maps.Keys(s.values)), maps.Keys(next.values))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if key != "lists" && s.values[key] != next.values[key] {
			c.Keys = append(c.Keys, key)
		}
	}
	return c
}

// Fixed returns the keys that have another value in the next settings and take effect only after a restart.
func (s *Settings) Fixed(next *Settings) (keys []string) {
	for _, k := range []struct {
		key     string
		differs bool
	}{
		{"listen", !slices.Equal(s.Listen, next.Listen)},
		{"state", s.State != next.State},
		{"cache", s.Cache != next.Cache},
		{"metrics", s.Metrics != next.Metrics},
		{"pprof", s.Pprof != next.Pprof},
		{"stop_page", !s.StopPage.SameAddresses(&next.StopPage)},
		{"web", s.Web != next.Web},
		{"dnstap", s.Dnstap != next.Dnstap},
		{"query_log", s.QueryLog != next.QueryLog},
		{"zone_files", s.ZoneFiles != next.ZoneFiles},
	} {
		if k.differs {
			keys = append(keys, k.key)
		}
	}
	return keys
}
