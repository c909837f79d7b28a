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

// Status is the status of a running service. Its counters count from the start.
type Status struct {
	Version string    `json:"version"` // version of the program, with commit and compiler
	Started time.Time `json:"started"`
	// Settings says why the settings file on disk is not completely in force. Empty: it is completely in force.
	Settings string `json:"settings_error,omitempty"`
	Guards   string `json:"guards,omitempty"` // the guards and their limits, as text
	// Lists has the lists in the order of the settings, then the allow lists.
	Lists   []ListStatus `json:"lists"`
	Queries uint64       `json:"queries"` // number of queries received
	Hits    uint64       `json:"hits"`    // number of queries answered from the cache
	// Failures is the number of queries that failed because no upstream answered.
	Failures uint64 `json:"failures"`
	// Dropped is the number of queries dropped because too many waited for the upstream.
	Dropped uint64 `json:"dropped"`
	// Limited is the number of queries over UDP dropped or truncated by the rate limit.
	Limited uint64 `json:"limited"`
	// Alarms is the number of alarms about clients that were blocked by unusually many different entries within an
	// hour.
	Alarms    uint64                       `json:"alarms"`
	Conns     int                          `json:"connections"` // number of open TCP connections
	Answers   map[string]map[string]uint64 `json:"answers"`     // number of answers by transport and rcode
	Upstreams []upstream.Status            `json:"upstreams"`
	Actions   map[string]map[string]uint64 `json:"actions"` // number of decisions by list and action
	StopPage  *StopPageStatus              `json:"stop_page,omitempty"`
	Zones     []rpz.Status                 `json:"zones,omitempty"` // policy zones that other resolvers copy
}

// ListStatus is the status of one list.
type ListStatus struct {
	List    string `json:"list"`
	File    string `json:"file,omitempty"` // path of the file of a local list
	Action  string `json:"action"`
	Signed  bool   `json:"signed"`
	Entries uint64 `json:"entries"`
	Serial  uint64 `json:"serial,omitempty"` // serial of the release in force; 0: a local list, or no release yet
	Digest  string `json:"digest,omitempty"`
	Origin  string `json:"origin,omitempty"` // origin that answered last
	// Checked is when an origin last proved that the release in force is the newest.
	Checked time.Time `json:"checked,omitzero"`
	// Expires is when the release becomes stale, unless an origin confirms it earlier.
	Expires time.Time `json:"expires,omitzero"`
	// Root is when the newest root expires. The agency must publish a new root before that time.
	Root time.Time `json:"root_expires,omitzero"`
	// Stale means, for a signed list, that Expires has passed or that there is no release. For a local list, it means
	// that the current file could not be loaded or fetched.
	Stale bool            `json:"stale,omitempty"`
	Error string          `json:"error,omitempty"` // why the last update failed; empty: it did not fail
	Hold  *subscribe.Hold `json:"hold,omitempty"`  // hold on a release or file; nil: none
	// Equivocations is the number of proofs that officers signed two states with the same serial.
	Equivocations int    `json:"equivocations,omitempty"`
	Held          uint64 `json:"held,omitempty"` // number of releases put on hold since the start
	// Follows reports whether a signed list has a running subscription.
	Follows bool `json:"subscriptions,omitempty"`

	Fetch    *FetchStatus   `json:"fetch,omitempty"`    // status of a fetched list; nil: the list is not fetched
	Receipts *ReceiptStatus `json:"receipts,omitempty"` // status of the receipts; nil: none are configured

	Format  formats.Format `json:"format,omitempty"`  // format of the file of a local list
	Skipped []SkippedLines `json:"skipped,omitempty"` // skipped lines of the file, by reason

	// RPZ is the name of a policy zone. Entries is then the number of its rules. Empty: the list is no policy zone.
	RPZ        string         `json:"rpz,omitempty"`
	ZoneSerial uint32         `json:"zone_serial,omitempty"` // serial in the SOA record of a policy zone
	Triggers   map[string]int `json:"triggers,omitempty"`    // for a policy zone: number of rules by trigger

	// URLs is the number of url entries that are not enforced, because the list does not have the setting divert.
	URLs uint64 `json:"urls,omitempty"`
}

// ReceiptStatus is the status of the receipts for one list.
type ReceiptStatus struct {
	Serial    uint64    `json:"serial,omitempty"`   // serial of the newest receipt
	Enforced  time.Time `json:"enforced,omitzero"`  // when the service found that it enforces Serial
	Waiting   int       `json:"waiting"`            // number of receipts that no origin has accepted yet
	Delivered time.Time `json:"delivered,omitzero"` // when an origin last accepted a receipt; zero: not since the start
	// Error says why the serial in force has no receipt, or why no origin has accepted the receipts that are waiting.
	Error string `json:"error,omitempty"`
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

// byRcode returns the number of answers by transport and rcode, summed over all query types.
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

// fileStatus sets the fields of a ListStatus that describe a local list.
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

// receiptStatus returns the status of the receipts, or nil if the settings have none.
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

// zoneListStatus sets the fields of a ListStatus that describe a policy zone.
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
