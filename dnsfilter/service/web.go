package service

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// maxWebConns is the maximum number of connections to the operator's page.
const (
	maxWebConns   = 20
	webWithin     = 10 * time.Second // time limit of a request
	maxWebRequest = 4 << 10
	maxAttempts   = 10 // maximum number of attempts with a token in a minute
)

//go:embed web
var webFiles embed.FS

// webPolicy is the content security policy of the operator's page. It allows the page's own style sheet and nothing
// else.
const webPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// webServer serves the operator's page.
type webServer struct {
	service *Service
	history *history
	token   string

	mu       sync.Mutex
	minute   int64 // the minute in which attempts are counted, in minutes since 1970
	attempts int
}

// serveWeb serves the operator's web page on a listener until ctx ends.
func (s *Service) serveWeb(ctx context.Context, l net.Listener) error {
	token, err := webToken(s.settings.State)
	if err != nil {
		return fmt.Errorf("serving the operator's page: %w", err)
	}
	if at := s.settings.Web; !at.Addr().IsLoopback() {
		s.log.Warn("all who reach the operator's page can read it, without a password and without encryption; name a loopback address, and reach it through SSH",
			slog.String("web", at.String()))
	}
	w := &webServer{service: s, history: newHistory(), token: token}
	go w.history.run(ctx, s.server.Stats)
	h := http.Server{
		Handler: w.handler(), MaxHeaderBytes: 1 << 14, ReadHeaderTimeout: webWithin, ReadTimeout: webWithin,
		WriteTimeout: controlTimeout, IdleTimeout: time.Minute, // accepting a release may take a while
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // a person can repeat a request that was cut off
	defer stop()
	if err := h.Serve(netutil.LimitListener(l, maxWebConns)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the operator's page: %w", err)
	}
	return nil
}

// handler returns the handler of the operator's page. It refuses requests whose host is neither an IP address nor
// localhost, and requests from other origins, so that other sites can neither read nor change anything.
func (w *webServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(out http.ResponseWriter, _ *http.Request) { w.show(out, http.StatusOK, webMessage{}) })
	mux.HandleFunc("POST /hold", w.serveHold)
	mux.HandleFunc("GET /style.css", func(out http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(out, r, webFiles, "web/style.css")
	})
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		h := out.Header()
		h.Set("Content-Security-Policy", webPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !isLocalHost(r.Host) {
			http.Error(out, "this page is at an IP address, or at localhost", http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(out, r)
	})
}

// isLocalHost reports whether the host of a request is an IP address or localhost. Any other name may belong to an
// attacker, who lets it resolve to this address (DNS rebinding).
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// serveHold handles the form for a hold: it shows the findings, or accepts or rejects the hold. The form must have the
// token.
func (w *webServer) serveHold(out http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(out, r.Body, maxWebRequest)
	if err := r.ParseForm(); err != nil {
		w.show(out, http.StatusBadRequest, webMessage{Failed: true, Text: "The form could not be read."})
		return
	}
	if !w.mayTry(time.Now()) {
		w.show(out, http.StatusTooManyRequests, webMessage{Failed: true, Text: "Too many attempts: wait a minute."})
		return
	}
	if !w.isToken(r.PostForm.Get("token")) {
		w.show(out, http.StatusForbidden, webMessage{Failed: true, Text: "That is not the token. It is in the file " + tokenFile + " of the state folder."})
		return
	}
	d := holdDecision{r.PostForm.Get("list"), r.PostForm.Get("id")}
	err := errors.New("there is no such button")
	done := webMessage{}
	switch r.PostForm.Get("do") {
	case "show":
		done.Findings, err = d.List, nil
	case "accept":
		done.Text = "Accepted: " + d.List + " is in force as it was held."
		err = w.service.accept(r.Context(), d)
	case "reject":
		done.Text = "Rejected: " + d.List + " stays as it is."
		err = w.service.reject(r.Context(), d)
	}
	if err != nil {
		w.show(out, http.StatusConflict, webMessage{Failed: true, Text: err.Error()})
		return
	}
	w.show(out, http.StatusOK, done)
}

// mayTry counts an attempt with a token, and reports whether it is allowed.
func (w *webServer) mayTry(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if minute := now.Unix() / 60; minute != w.minute {
		w.minute, w.attempts = minute, 0
	}
	w.attempts++
	return w.attempts <= maxAttempts
}
