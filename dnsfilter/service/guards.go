package service

import (
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// guardSource identifies what Load would read.
func guardSource(g config.GuardLimits) string {
	var text strings.Builder
	fmt.Fprint(&text, g)
	for _, path := range g.Files() {
		fmt.Fprintf(&text, " %s", settingsSource(path))
	}
	return text.String()
}

// guards are those in force, and what they were made from.
type guards struct {
	signed    *guard.Guard
	diverting *guard.Guard // of signed lists that divert
	own       *guard.Guard // of local lists
	allow     *guard.Guard // of allow lists

	source string
}

// of returns the guard of a signed list.
func (g guards) of(l *config.List) *guard.Guard {
	if len(l.Divert) > 0 {
		return g.diverting
	}
	return g.signed
}

// next returns the guards of the settings: the same ones if nothing has changed, so that no list is followed again.
func (g guards) next(settings *config.Settings) (guards, error) {
	needs := settings.Needs()
	source := fmt.Sprint(guardSource(settings.Guard), needs)
	if g.signed != nil && g.source == source {
		return g, nil
	}
	signed, err := settings.Guard.Load(needs...)
	if err != nil {
		return g, fmt.Errorf("reading what the guards know: %w", err)
	}
	return guards{signed, signed.Diverting(), signed.Own(), signed.Allow(), source}, nil
}
