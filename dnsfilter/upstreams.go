package dnsfilter

import (
	"log/slog"
	"time"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// reporting is an upstream that knows how its resolvers are doing.
type reporting interface {
	Watch(log *slog.Logger)
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// Upstreams returns how the resolvers have been doing that the server asks; nothing if the upstream does not say. Those of which
// nothing good is known are asked whether they are there, for the next time: nobody else may ask them by now.
func (s *Server) Upstreams() []upstream.Status {
	u := s.current.Load().reports
	if u == nil {
		return nil
	}
	u.Probe()
	return u.Status()
}

// UpstreamDown reports whether the upstream answers nothing, and since when. One that does not say is taken to answer.
func (s *Server) UpstreamDown() (since time.Time, down bool) {
	u := s.current.Load().reports
	if u == nil {
		return since, false
	}
	return u.Down()
}
