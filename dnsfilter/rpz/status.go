package rpz

import (
	"log/slog"
	"maps"
	"time"
)

// Status is the state of a zone, with counters since [Open].
type Status struct {
	Zone    string            `json:"zone"`
	Serial  uint32            `json:"serial"`           // 0: the zone has no records yet
	Created time.Time         `json:"created,omitzero"` // time at which this serial was made
	Records uint64            `json:"records"`          // number of records, without SOA, NS and ZONEMD
	Lists   map[string]uint64 `json:"lists"`            // number of entries in the zone, by list
	Unsaid  map[string]uint64 `json:"unsaid,omitempty"` // number of entries that a zone can't express, by reason
	Error   string            `json:"error,omitempty"`  // why the zone or one of its lists is not up to date

	Full           uint64 `json:"full_transfers"`
	Incremental    uint64 `json:"incremental_transfers"`
	Failed         uint64 `json:"failed_transfers"` // transfers that ended with an error
	Refused        uint64 `json:"refused"`          // refused requests
	Bytes          uint64 `json:"bytes"`            // bytes sent by transfers
	Running        int    `json:"running"`          // transfers in progress
	Notified       uint64 `json:"notified"`         // notifications that a secondary has confirmed
	NotifyFailures uint64 `json:"notify_failures"`  // notifications that a secondary did not confirm, after all attempts
}

// counts are the counters of a zone.
type counts struct {
	Full, Incremental, Failed, Refused, Bytes, Notified, NotifyFailures uint64
}

func (z *Zone) count(change func(*counts)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	change(&z.counts)
}

// Status returns the state of the zone.
func (z *Zone) Status() Status {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := z.counts
	out := Status{
		Zone: z.name.String(), Lists: map[string]uint64{}, Running: int(z.running.Load()),
		Full: n.Full, Incremental: n.Incremental, Failed: n.Failed, Refused: n.Refused, Bytes: n.Bytes,
		Notified: n.Notified, NotifyFailures: n.NotifyFailures,
	}
	if z.err != nil {
		out.Error = z.err.Error()
	}
	s := z.current.Load()
	if s == nil {
		return out
	}
	out.Serial, out.Created, out.Records, out.Unsaid = s.Serial, s.Created, s.Records, s.unsaid()
	for _, src := range s.Sources {
		out.Lists[src.List] += src.Entries
	}
	return out
}

// unsaid returns the number of entries that are not in the zone, by reason: url; name, for names that are reserved or,
// together with the name of the zone, too long; monitor; or the name of an action that a zone can't express.
func (s *snapshot) unsaid() map[string]uint64 {
	all := map[string]uint64{}
	for _, src := range s.Sources {
		for why, n := range maps.All(src.Unsaid) {
			all[why] += n
		}
	}
	return all
}

func (s *snapshot) attrs() []any {
	return []any{
		slog.Uint64("serial", uint64(s.Serial)), slog.Uint64("records", s.Records), slog.Any("unsaid", s.unsaid()),
		slog.Int("journal", len(s.Journal)),
	}
}
