package service

import (
	"time"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Status says how a running service stands.
type Status struct {
	Version   string                       `json:"version"` // of the program, with commit and compiler
	Started   time.Time                    `json:"started"`
	Settings  string                       `json:"settings_error,omitempty"` // why the settings on disk are not in force
	Lists     []ListStatus                 `json:"lists"`                    // in the order of the settings
	Queries   uint64                       `json:"queries"`                  // taken in
	Hits      uint64                       `json:"hits"`                     // answered from the cache
	Failures  uint64                       `json:"failures"`                 // no upstream answered
	Dropped   uint64                       `json:"dropped"`                  // too many waited for the upstream
	Limited   uint64                       `json:"limited"`                  // held back by the rate limit
	Alarms    uint64                       `json:"alarms"`                   // clients refused by unusually many different entries
	Conns     int                          `json:"connections"`              // open over TCP
	Answers   map[string]map[string]uint64 `json:"answers"`                  // sent, by transport and rcode
	Upstreams []upstream.Status            `json:"upstreams"`
	Actions   map[string]map[string]uint64 `json:"actions"` // decisions by list and action
}

// ListStatus says how one list stands.
type ListStatus struct {
	List    string          `json:"list"`
	File    string          `json:"file,omitempty"` // of a local list
	Action  string          `json:"action"`
	Signed  bool            `json:"signed"`
	Entries uint64          `json:"entries"`
	Serial  uint64          `json:"serial,omitempty"` // in force; 0 for a local list, or if nothing is in force
	Digest  string          `json:"digest,omitempty"`
	Origin  string          `json:"origin,omitempty"`        // that answered last
	Checked time.Time       `json:"checked,omitzero"`        // when an origin proved last that this is the newest
	Expires time.Time       `json:"expires,omitzero"`        // until when it may be taken for the newest
	Root    time.Time       `json:"root_expires,omitzero"`   // until when the newest root is valid; its agency has to renew it before
	Stale   bool            `json:"stale,omitempty"`         // that has passed, or nothing is in force; of a local list, that its file could not be taken in
	Error   string          `json:"error,omitempty"`         // why the last try failed
	Hold    *subscribe.Hold `json:"hold,omitempty"`          // what the guards have stopped
	Held    uint64          `json:"held,omitempty"`          // how many releases they have stopped since the start
	Follows bool            `json:"subscriptions,omitempty"` // whether a signed list is followed

	Receipts *ReceiptStatus `json:"receipts,omitempty"` // nil if none are wanted

	Format  formats.Format `json:"format,omitempty"`  // of the file, as it was read
	Skipped []SkippedLines `json:"skipped,omitempty"` // of the file: what is not in the list, by reason
	URLs    uint64         `json:"urls,omitempty"`    // url entries that are not enforced, since the list has no divert
}

// ReceiptStatus says how it stands with the receipts for one list.
type ReceiptStatus struct {
	Serial    uint64    `json:"serial,omitempty"`   // that was confirmed last
	Enforced  time.Time `json:"enforced,omitzero"`  // since when
	Waiting   int       `json:"waiting"`            // receipts that no origin has taken yet
	Delivered time.Time `json:"delivered,omitzero"` // when an origin took one last, since the start
	Error     string    `json:"error,omitempty"`    // why the serial in force is not confirmed, or why receipts wait
}

// report returns how the running service stands.
func (s *running) report() Status {
	current := s.active.Load()
	stats := s.server.Stats()
	out := Status{
		Version: buildinfo.Current().String(), Started: s.started, Queries: stats.Queries, Hits: stats.Hits, Failures: stats.Failures, Dropped: stats.Dropped,
		Limited: stats.Limited, Alarms: stats.Alarms, Conns: stats.Connections.Open,
		Answers: byRcode(stats.Answers), Upstreams: s.server.Upstreams(),
		Actions: map[string]map[string]uint64{},
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

// byRcode sums answers up by transport and rcode.
func byRcode(answers map[dnsfilter.Answer]uint64) map[string]map[string]uint64 {
	out := map[string]map[string]uint64{"udp": {}, "tcp": {}}
	for a, n := range answers {
		out[a.Transport][a.Rcode] += n
	}
	return out
}

// fileStatus fills in what there is to say of a file.
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
}

func (s *running) listStatus(l *config.List, f *subscription) ListStatus {
	out := ListStatus{List: l.Rule.List, Action: l.Action.String(), Signed: l.File == "", Follows: f != nil}
	if len(l.Divert) == 0 {
		out.URLs = s.store.CountURLs(l.Rule.List)
	}
	if l.File != "" {
		s.fileStatus(l.LocalFile(), &out)
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
	out.Stale, out.Hold, out.Held = st.Stale, st.Hold, st.Held
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	out.Receipts = f.receiptStatus(st.Receipts)
	return out
}

// receiptStatus returns the state of the receipts, nil if the settings want none.
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
