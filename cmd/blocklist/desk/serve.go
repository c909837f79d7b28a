package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// maxConnections is the maximum number of a desk's open connections.
const maxConnections = 1000

// Serve serves requests on a listener until ctx ends. Then it completes the open requests and returns.
func (d *Desk) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: requestWithin, WriteTimeout: 2 * requestWithin,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestWithin)
		defer cancel()
		ended <- server.Shutdown(last)
	})
	err := server.Serve(netutil.LimitListener(l, maxConnections))
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the desk: %w", err)
	}
	return <-ended
}
