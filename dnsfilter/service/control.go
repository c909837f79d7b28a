package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// serveControl serves the control socket until ctx ends; it returns at once if control is nil. After ctx has ended,
// running requests have controlGrace to finish, then their connections are closed.
func (s *Service) serveControl(ctx context.Context, control *controlSocket) {
	if control == nil {
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
		_ = errors.Join(server.Shutdown(grace), server.Close()) // nothing is left to be done about an error
	})
	if err := server.Serve(control); !errors.Is(err, http.ErrServerClosed) {
		s.log.Warn("status, holds, accept, reject, apply, reload, flush, cache, stats and taking over work no more", slog.Any("error", err))
	}
	if !stop() {
		<-ended
	}
}

// control returns the handler of the control socket.
func (s *Service) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeControl(w, s.report()) })
	mux.HandleFunc("POST /accept", s.decide(s.accept))
	mux.HandleFunc("POST /reject", s.decide(s.reject))
	mux.HandleFunc("POST /apply", s.serveApply)
	mux.HandleFunc("POST /handover", s.serveHandover)
	mux.HandleFunc("POST /reload", s.serveReload)
	mux.HandleFunc("POST /flush", s.serveFlush)
	mux.HandleFunc("POST /cache", s.serveCache)
	mux.HandleFunc("GET /stats", s.serveStats)
	mux.HandleFunc("POST /reload/dry-run", s.servePlan)
	return mux
}

// decide returns a handler for requests to accept or reject a hold. The function apply carries out the decision.
func (s *Service) decide(apply func(context.Context, holdDecision) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var d holdDecision
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlRequest)).Decode(&d)
		if err == nil {
			err = apply(r.Context(), d)
		}
		if err != nil {
			refuseControl(w, err)
			return
		}
		writeControl(w, struct{}{})
	}
}

// accept accepts the hold that d names: on a release of a signed list, on a local file, or on a policy zone.
func (s *Service) accept(ctx context.Context, d holdDecision) error {
	current := s.active.Load()
	by := current.guards
	return s.decideHold(d,
		func(f *subscribe.Subscription) error { return f.Accept(ctx, d.ID) },
		func(f config.LocalFile) error { return s.local.accept(f, by, d.ID) },
		func(l *config.List) error { return s.zoneLists.accept(l, by, d.ID) })
}

// reject rejects the hold that d names.
func (s *Service) reject(ctx context.Context, d holdDecision) error {
	return s.decideHold(d,
		func(f *subscribe.Subscription) error { return f.Reject(ctx, d.ID) },
		func(config.LocalFile) error { return s.local.reject(d.List, d.ID) },
		func(*config.List) error { return s.local.reject(d.List, d.ID) })
}

// decideHold calls one of the functions with the list that has the hold: signed for a signed list, local for a local
// list, zone for a policy zone. It returns an error if there is no such list.
func (s *Service) decideHold(d holdDecision, signed func(*subscribe.Subscription) error,
	local func(config.LocalFile) error, zone func(*config.List) error,
) error {
	current := s.active.Load()
	if f := current.subscriptions[d.List]; f != nil {
		return signed(f.sub)
	}
	err := fmt.Errorf("there is no list %.80q: no signed one is followed, and no file has that name", d.List)
	for _, f := range current.settings.LocalFiles() {
		if f.List == d.List {
			return deciding(d, local(f))
		}
	}
	for _, l := range current.settings.ZoneLists() {
		if l.Rule.List == d.List {
			return deciding(d, zone(l))
		}
	}
	return err
}

// deciding wraps an error with the list and the ID of the hold. If err is nil, it returns nil.
func deciding(d holdDecision, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("deciding about %.40q of %s: %w", d.ID, d.List, err)
}

func (s *Service) serveReload(w http.ResponseWriter, r *http.Request) {
	if err := s.Reload(r.Context()); err != nil {
		refuseControl(w, err)
		return
	}
	out, current := Reloaded{Restart: s.needRestart()}, s.active.Load()
	for i := range current.settings.Lists {
		info, _ := s.store.List(current.settings.Lists[i].Rule.List)
		out.Lists, out.Entries = out.Lists+1, out.Entries+info.Entries
	}
	writeControl(w, out)
}
