package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// serveControl serves the control socket, if there is one, until ctx ends. Then it also ends running requests.
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
	mux.HandleFunc("POST /accept", s.decide((*subscribe.Subscription).Accept, s.local.accept))
	mux.HandleFunc("POST /reject", s.decide((*subscribe.Subscription).Reject, s.local.reject))
	mux.HandleFunc("POST /apply", s.serveApply)
	mux.HandleFunc("POST /handover", s.serveHandover)
	mux.HandleFunc("POST /reload", s.serveReload)
	mux.HandleFunc("POST /flush", s.serveFlush)
	mux.HandleFunc("POST /cache", s.serveCache)
	mux.HandleFunc("GET /stats", s.serveStats)
	mux.HandleFunc("POST /reload/dry-run", s.servePlan)
	return mux
}

// decide returns a handler for a decision about a hold: of a signed list's release, or of a local file.
func (s *Service) decide(signed func(*subscribe.Subscription, context.Context, string) error,
	local func(config.LocalFile, guards, string) error,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var d holdDecision
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlRequest)).Decode(&d)
		if err == nil {
			err = s.decideHold(r.Context(), d, signed, local)
		}
		if err != nil {
			refuseControl(w, err)
			return
		}
		writeControl(w, struct{}{})
	}
}

// decideHold decides about a hold.
func (s *Service) decideHold(ctx context.Context, d holdDecision,
	signed func(*subscribe.Subscription, context.Context, string) error,
	local func(config.LocalFile, guards, string) error,
) error {
	current := s.active.Load()
	files := current.settings.LocalFiles()
	file := slices.IndexFunc(files, func(f config.LocalFile) bool { return f.List == d.List })
	switch f := current.subscriptions[d.List]; {
	case f != nil:
		return signed(f.sub, ctx, d.ID)
	case file < 0:
		return fmt.Errorf("there is no list %.80q: no signed one is followed, and no file has that name", d.List)
	}
	if err := local(files[file], current.guards, d.ID); err != nil {
		return fmt.Errorf("deciding about %.40q of %s: %w", d.ID, d.List, err)
	}
	return nil
}

func (s *Service) serveReload(w http.ResponseWriter, r *http.Request) {
	if err := s.Reload(r.Context()); err != nil {
		refuseControl(w, err)
		return
	}
	out, current := Reloaded{}, s.active.Load()
	for i := range current.settings.Lists {
		info, _ := s.store.List(current.settings.Lists[i].Rule.List)
		out.Lists, out.Entries = out.Lists+1, out.Entries+info.Entries
	}
	writeControl(w, out)
}
