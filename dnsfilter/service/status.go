package service

import (
	"time"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Status is the state of a running service.
type Status struct {
	Version   string                       `json:"version"` // version of the program, with commit and compiler
	Started   time.Time                    `json:"started"`
	Settings  string                       `json:"settings_error,omitempty"` // why the settings file on disk is not in force
	Guards    string                       `json:"guards,omitempty"`         // the guards and their limits, as a text
	Lists     []ListStatus                 `json:"lists"`                    // in the order of the settings
	Queries   uint64                       `json:"queries"`                  // received
	Hits      uint64                       `json:"hits"`                     // answered from the cache
	Failures  uint64                       `json:"failures"`                 // failed, because no upstream answered
	Dropped   uint64                       `json:"dropped"`                  // dropped, because too many were waiting for the upstream
	Limited   uint64                       `json:"limited"`                  // dropped or truncated by the rate limit
	Alarms    uint64                       `json:"alarms"`                   // clients refused after queries for unusually many different entries
	Conns     int                          `json:"connections"`              // open TCP connections
	Answers   map[string]map[string]uint64 `json:"answers"`                  // by transport and rcode
	Upstreams []upstream.Status            `json:"upstreams"`
	Actions   map[string]map[string]uint64 `json:"actions"` // decisions by list and action
	StopPage  *StopPageStatus              `json:"stop_page,omitempty"`
	Zones     []rpz.Status                 `json:"zones,omitempty"` // policy zones
}

// ListStatus is the state of one list.
type ListStatus struct {
	List          string          `json:"list"`
	File          string          `json:"file,omitempty"` // of a local list
	Action        string          `json:"action"`
	Signed        bool            `json:"signed"`
	Entries       uint64          `json:"entries"`
	Serial        uint64          `json:"serial,omitempty"` // current serial; 0: a local list, or no release yet
	Digest        string          `json:"digest,omitempty"`
	Origin        string          `json:"origin,omitempty"`        // the origin that answered last
	Checked       time.Time       `json:"checked,omitzero"`        // when an origin last proved that this is the newest release
	Expires       time.Time       `json:"expires,omitzero"`        // until when it counts as fresh
	Root          time.Time       `json:"root_expires,omitzero"`   // expiry of the newest root; the agency must renew it by then
	Stale         bool            `json:"stale,omitempty"`         // a signed list: Expires has passed, or there is no release; a local list: its file could not be loaded, or fetched for too long
	Error         string          `json:"error,omitempty"`         // why the last update failed
	Hold          *subscribe.Hold `json:"hold,omitempty"`          // the release or file on hold; nil: none
	Equivocations int             `json:"equivocations,omitempty"` // proofs that officers have signed two states of one serial
	Held          uint64          `json:"held,omitempty"`          // number of releases held since the start
	Follows       bool            `json:"subscriptions,omitempty"` // a signed list has a running subscription

	Fetch    *FetchStatus   `json:"fetch,omitempty"`    // nil: the list is not fetched
	Receipts *ReceiptStatus `json:"receipts,omitempty"` // nil: not configured

	Format  formats.Format `json:"format,omitempty"`  // of the file
	Skipped []SkippedLines `json:"skipped,omitempty"` // lines of the file that are not listed, by reason

	RPZ        string         `json:"rpz,omitempty"`         // of a policy zone: its name. Entries is the number of its rules
	ZoneSerial uint32         `json:"zone_serial,omitempty"` // of a policy zone, from its SOA record
	Triggers   map[string]int `json:"triggers,omitempty"`    // of a policy zone: number of rules by trigger

	URLs uint64 `json:"urls,omitempty"` // number of url entries that are not enforced, because the list has no divert
}

// ReceiptStatus is the state of the receipts for one list.
type ReceiptStatus struct {
	Serial    uint64    `json:"serial,omitempty"`   // last confirmed serial
	Enforced  time.Time `json:"enforced,omitzero"`  // since when that serial is enforced
	Waiting   int       `json:"waiting"`            // number of receipts not yet accepted by an origin
	Delivered time.Time `json:"delivered,omitzero"` // when an origin last accepted one; zero: not since the start
	Error     string    `json:"error,omitempty"`    // why the current serial is not confirmed, or why receipts wait
}

// report returns the status of the service.
func (s *running) report() Status {
	current := s.active.Load()
	stats := s.server.Stats()
	out := Status{
		Version: buildinfo.Current().String(), Started: s.started, Guards: current.guards.signed.String(),
		Queries: stats.Queries, Hits: stats.Hits, Failures: stats.Failures, Dropped: stats.Dropped,
		Limited: stats.Limited, Alarms: stats.Alarms, Conns: stats.Connections.Open,
		Answers: byRcode(stats.Answers), Upstreams: s.server.Upstreams(),
		Actions: map[string]map[string]uint64{}, StopPage: s.stopPageStatus(), Zones: s.zoneStatus(),
	}
	for list, actions := range stats.Lists {
		out.Actions[list] = map[string]uint64{}
		for action, n := range actions {
			out.Actions[list][action.String()] = n
		}
	}
	if err := s.settingsError(); err != nil {
		out.Settings = err.Error()
	}
	for i := range current.settings.Lists {
		l := &current.settings.Lists[i]
		out.Lists = append(out.Lists, s.listStatus(l, current.subscriptions[l.Rule.List]))
	}
	for _, f := range current.settings.LocalFiles() {
		if f.Allow {
			status := ListStatus{List: f.List, Action: "allow"}
			s.fileStatus(f, &status)
			out.Lists = append(out.Lists, status)
		}
	}
	return out
}

// byRcode sums answers by transport and rcode.
func byRcode(answers map[dnsfilter.Answer]uint64) map[string]map[string]uint64 {
	out := map[string]map[string]uint64{"udp": {}, "tcp": {}}
	for a, n := range answers {
		transport := a.Transport.String()
		if out[transport] == nil {
			out[transport] = map[string]uint64{}
		}
		out[transport][a.Rcode] += n
	}
	return out
}

// fileStatus sets the fields for a local list.
func (s *running) fileStatus(f config.LocalFile, out *ListStatus) {
	out.File = f.Path
	if info, ok := s.store.List(f.List); ok {
		out.Entries = info.Entries
		if info.Err != nil {
			out.Error = info.Err.Error()
		}
	}
	if r, ok := reportOf(s.store, f.List); ok {
		out.Format, out.Skipped = r.Format, r.Skipped
	}
	if err := s.local.failure(f.List); err != nil {
		out.Stale, out.Error = true, err.Error()
	}
	if held := s.local.held.of(f.List); held != nil {
		out.Hold = &held.Hold
	}
	if l := s.active.Load().fetched[f.List]; l != nil {
		out.Fetch = l.status()
		out.Stale = out.Stale || out.Fetch.Stale
	}
}

func (s *running) listStatus(l *config.List, f *subscription) ListStatus {
	out := ListStatus{List: l.Rule.List, Action: l.Action.String(), Signed: l.File == "", Follows: f != nil}
	if len(l.Divert) == 0 {
		out.URLs = s.store.CountURLs(l.Rule.List)
	}
	if l.File != "" {
		s.fileStatus(l.LocalFile(), &out)
		if l.RPZ != "" {
			s.zoneListStatus(l, &out)
		}
		return out
	}
	if info, ok := s.store.List(l.Rule.List); ok {
		out.Entries, out.Serial = info.Entries, info.Serial
		if info.Serial > 0 {
			out.Digest = info.Digest.String()
		}
		if info.Err != nil {
			out.Error = info.Err.Error()
		}
	}
	if f == nil {
		return out
	}
	st := f.sub.Status()
	out.Origin, out.Checked, out.Expires, out.Root = st.Origin, st.Checked, st.Expires, st.Root
	out.Stale, out.Hold, out.Held, out.Equivocations = st.Stale, st.Hold, st.Held, st.Equivocations
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	out.Receipts = f.receiptStatus(st.Receipts)
	return out
}

// receiptStatus returns the state of the receipts, or nil if the settings have none.
func (f *subscription) receiptStatus(st *subscribe.ReceiptStatus) *ReceiptStatus {
	switch {
	case f.noReceipts != nil:
		return &ReceiptStatus{Error: f.noReceipts.Error()}
	case st == nil:
		return nil
	}
	out := &ReceiptStatus{Serial: st.Serial, Enforced: st.Enforced, Waiting: st.Waiting, Delivered: st.Delivered}
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	return out
}

// zoneListStatus fills in the status of a list that is a policy zone.
func (s *running) zoneListStatus(l *config.List, out *ListStatus) {
	state := s.zoneLists.state(l.Rule.Zone)
	r := zoneFileReport(state.report)
	out.RPZ, out.Entries, out.ZoneSerial = l.RPZ.String(), uint64(state.report.Rules), state.report.Serial
	out.Format, out.Skipped, out.Triggers = r.Format, r.Skipped, r.Triggers
	if l.Action == dnsfilter.Pass {
		out.Action = "as the zone says"
	}
	if state.err != nil {
		out.Stale, out.Error = true, state.err.Error()
	}
}
