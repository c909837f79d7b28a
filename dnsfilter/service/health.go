package service

import (
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// upstreamHealth returns a line for each resolver that is down. The result usable is false if all resolvers have been
// down for outageLimit.
func (s *running) upstreamHealth() (text string, usable bool) {
	for _, u := range s.server.Upstreams() {
		if !u.Up {
			text += "upstream " + u.Name() + ": " + u.Reason + "\n"
		}
	}
	since, down := s.server.UpstreamDown()
	return text, !down || time.Since(since) < s.outageLimit
}

// health returns a line for each problem with the settings, a list or an upstream. It also reports whether the server
// is ready: all lists except allow lists are enforced, and an upstream is usable.
func (s *running) health() (text string, ready bool) {
	current := s.active.Load()
	ready = true
	if err := s.settingsError(); err != nil {
		text = "settings: not those on disk: " + err.Error() + "\n"
	}
	for i := range current.settings.Lists {
		l := &current.settings.Lists[i]
		problem, enforced := s.problem(l, current.subscriptions[l.Rule.List])
		if ready = ready && enforced; problem != "" {
			text += "list " + l.Rule.List + ": " + problem + "\n"
		}
	}
	for _, path := range current.settings.Allow {
		list := config.AllowName(path)
		if problem, _ := s.fileProblem(list); problem != "" {
			text += "list " + list + " (" + path + "): " + problem + "\n"
		}
	}
	line, usable := s.upstreamHealth()
	return text + line, ready && usable
}

// problem returns the problem of a list, or an empty text, and reports whether the list is enforced. The argument f is
// the subscription of a signed list, and may be nil.
func (s *running) problem(l *config.List, f *subscription) (text string, enforced bool) {
	switch {
	case l.RPZ != "":
		return s.zoneProblem(l)
	case l.File != "":
		return s.fileProblem(l.Rule.List)
	}
	switch info, ok := s.store.List(l.Rule.List); {
	case !ok:
		return notHeld, false
	case info.Err != nil:
		return "not enforced: its files are damaged", false
	case f == nil:
		return "enforced, but not followed: see the log", true
	}
	switch status := f.sub.Status(); {
	case status.Serial == 0: // the first release is just coming into force
		return notHeld, false
	case status.Stale:
		return "stale since " + status.Expires.UTC().Format(time.RFC3339), true
	case status.Hold != nil:
		return "an update is on hold", true
	}
	return "", true
}

// Texts for the problems of lists.
const (
	notHeld     = "not enforced: nothing is held of it"
	badFile     = "stale: its file could not be taken in; see the log"
	holdWithout = "not enforced: it is on hold, and there is none before it; dnsfilter holds shows why"
	changeHeld  = "a change of its file is on hold; dnsfilter holds shows why"
	notFetched  = "stale: it could not be fetched for too long; dnsfilter status shows why"
)

// zoneProblem returns the problem of a policy zone, or an empty text, and reports whether the zone is enforced.
func (s *running) zoneProblem(l *config.List) (text string, enforced bool) {
	onHold := s.local.held.of(l.Rule.List) != nil
	switch state := s.zoneLists.state(l.Rule.Zone); {
	case state.source == "" && onHold:
		return holdWithout, false
	case state.source == "":
		return notHeld, false
	case state.err != nil:
		return badFile, true
	case s.active.Load().fetched[l.Rule.List].isStale():
		return notFetched, true
	case onHold:
		return changeHeld, true
	}
	return "", true
}

// fileProblem returns the problem of a local list, or an empty text, and reports whether the list is enforced.
func (s *running) fileProblem(list string) (text string, enforced bool) {
	info, ok := s.store.List(list)
	onHold := s.local.held.of(list) != nil
	switch {
	case !ok && onHold:
		return holdWithout, false
	case !ok:
		return notHeld, false
	case info.Err != nil:
		return "not enforced: its files are damaged", false
	case s.local.failure(list) != nil:
		return badFile, true
	case s.active.Load().fetched[list].isStale():
		return notFetched, true
	case onHold:
		return changeHeld, true
	}
	return "", true
}
