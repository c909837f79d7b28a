package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// profileWithin is the maximum duration of a request for a profile.
const profileWithin = 10 * time.Minute

// servePprof serves pprof profiles at /debug/pprof until ctx ends.
func servePprof(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	h := http.Server{Handler: mux, ReadTimeout: scrapeWithin, WriteTimeout: profileWithin, MaxHeaderBytes: 1 << 14}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // the client can repeat a request that was cut off
	defer stop()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving pprof: %w", err)
	}
	return nil
}
