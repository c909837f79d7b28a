package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Limits on what is said over the control socket, which only the service's own user can open.
const (
	maxControlRequest = 4 << 10
	controlGrace      = 500 * time.Millisecond // for what is being done when the service ends
	controlTimeout    = 10 * time.Minute       // to accept a release of ten million entries takes a while
)

// ServiceStatus says how a running service stands.
type ServiceStatus struct {
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
	Origin  string          `json:"origin,omitempty"`  // that answered last
	Checked time.Time       `json:"checked,omitzero"`  // when an origin proved last that this is the newest
	Expires time.Time       `json:"expires,omitzero"`  // until when it may be taken for the newest
	Stale   bool            `json:"stale,omitempty"`   // that has passed, or nothing is in force; of a local list, that its file could not be taken in
	Error   string          `json:"error,omitempty"`   // why the last try failed
	Hold    *subscribe.Hold `json:"hold,omitempty"`    // what the guards have stopped
	Held    uint64          `json:"held,omitempty"`    // how many releases they have stopped since the start
	Follows bool            `json:"follows,omitempty"` // whether a signed list is followed

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
func (s *Service) report() ServiceStatus {
	current := s.inForce.Load()
	stats := s.server.Stats()
	out := ServiceStatus{
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
		out.Lists = append(out.Lists, s.listStatus(l, current.follows[l.Rule.List]))
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
func (s *Service) fileStatus(f config.LocalFile, out *ListStatus) {
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
	if err := s.fileError(f.List); err != nil {
		out.Stale, out.Error = true, err.Error()
	}
	if held := s.held.of(f.List); held != nil {
		out.Hold = &held.Hold
	}
}

func (s *Service) listStatus(l *config.List, f *follow) ListStatus {
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
	out.Origin, out.Checked, out.Expires, out.Stale, out.Hold, out.Held = st.Origin, st.Checked, st.Expires, st.Stale, st.Hold, st.Held
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	out.Receipts = f.receiptStatus(st.Receipts)
	return out
}

// serveControl answers over the control socket, if there is one, until ctx ends; with it, what is being done for a client ends.
func (s *Service) serveControl(ctx context.Context, l net.Listener) {
	if l == nil {
		return
	}
	server := &http.Server{
		Handler: s.control(), ReadTimeout: 5 * time.Second, WriteTimeout: controlTimeout, MaxHeaderBytes: maxControlRequest,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.Background(), controlGrace)
		defer cancel()
		_ = errors.Join(server.Shutdown(grace), server.Close()) // it is the end
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Warn("status, holds, accept, reject, apply, reload, flush and taking over work no more", slog.Any("error", err))
	}
	if !stop() {
		<-ended
	}
}

// listenControl makes the socket. What is left of an earlier process may go: the store has one owner.
func listenControl(ctx context.Context, state string) (net.Listener, error) {
	path, err := config.ControlSocket(state)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := (&net.ListenConfig{Control: openPrivate}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// control answers what is asked over the socket.
func (s *Service) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeControl(w, s.report()) })
	mux.HandleFunc("POST /accept", s.decide((*subscribe.Subscription).Accept, s.acceptFile))
	mux.HandleFunc("POST /reject", s.decide((*subscribe.Subscription).Reject, s.rejectFile))
	mux.HandleFunc("POST /apply", s.serveApply)
	mux.HandleFunc("POST /handover", s.serveHandover)
	mux.HandleFunc("POST /reload", s.serveReload)
	mux.HandleFunc("POST /flush", s.serveFlush)
	return mux
}

// holdDecision is what is to be decided, as the client says it.
type holdDecision struct {
	List string `json:"list"`
	ID   string `json:"id"`
}

// controlError is an answer that says what went wrong.
type controlError struct {
	Error string `json:"error"`
}

// decide does something about what is on hold: a release of a signed list, or a file.
func (s *Service) decide(signed func(*subscribe.Subscription, context.Context, string) error, local func(config.LocalFile, guards, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var d holdDecision
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlRequest)).Decode(&d)
		current := s.inForce.Load()
		files := current.settings.LocalFiles()
		file := slices.IndexFunc(files, func(f config.LocalFile) bool { return f.List == d.List })
		switch f := current.follows[d.List]; {
		case err != nil:
		case f != nil:
			err = signed(f.sub, r.Context(), d.ID)
		case file < 0:
			err = fmt.Errorf("there is no list %.80q: no signed one is followed, and no file has that name", d.List)
		default:
			if err = local(files[file], current.guards, d.ID); err != nil {
				err = fmt.Errorf("deciding about %.40q of %s: %w", d.ID, d.List, err)
			}
		}
		if err != nil {
			refuseControl(w, err)
			return
		}
		writeControl(w, struct{}{})
	}
}

func refuseControl(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusConflict)
	writeControl(w, controlError{err.Error()})
}

func writeControl(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
