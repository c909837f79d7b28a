package service

import (
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// guardSource returns a text that changes when the limits of the guard change, or the state of one of its files.
func guardSource(g config.GuardLimits) string {
	var text strings.Builder
	fmt.Fprint(&text, g)
	for _, path := range g.Files() {
		fmt.Fprintf(&text, " %s", settingsSource(path))
	}
	return text.String()
}

// guards has the guards in force. The field source identifies the limits and files that they were created from.
type guards struct {
	signed    *guard.Guard
	diverting *guard.Guard // guard for signed lists with the setting divert
	own       *guard.Guard // guard for local lists
	allow     *guard.Guard // guard for allow lists

	source string
}

// of returns the guard for a signed list: the diverting guard if the list has the setting divert, else the ordinary
// one.
func (g guards) of(l *config.List) *guard.Guard {
	if len(l.Divert) > 0 {
		return g.diverting
	}
	return g.signed
}

// next returns the guards for the given settings. It returns the same guards if their limits and files have not
// changed, so that the subscriptions need not be restarted.
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
