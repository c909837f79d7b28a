package service

import (
	"context"
	"encoding/json"
	"net/http"
)

// Reloaded says what is in force after a reload.
type Reloaded struct {
	Lists   int    `json:"lists"`   // of the settings
	Entries uint64 `json:"entries"` // that are held of them
}

// Reload has the service read its settings and files again, as a person who asks for it wants: see [Service.Run].
func (c *Control) Reload(ctx context.Context) (r Reloaded, err error) {
	err = c.call(ctx, http.MethodPost, "/reload", struct{}{}, &r)
	return r, err
}

// flushRequest is what is to be forgotten, and flushed how much that was.
type (
	flushRequest struct {
		Name string `json:"name"`
	}
	flushed struct {
		Answers int `json:"answers"`
	}
)

// Flush has the service forget the cached answers about a name and the names below it; see [Server.Flush].
func (c *Control) Flush(ctx context.Context, name string) (answers int, err error) {
	var f flushed
	err = c.call(ctx, http.MethodPost, "/flush", flushRequest{name}, &f)
	return f.Answers, err
}

func (s *running) serveFlush(w http.ResponseWriter, r *http.Request) {
	var f flushRequest
	var n int
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlRequest)).Decode(&f)
	if err == nil {
		n, err = s.server.Flush(f.Name)
	}
	if err != nil {
		refuseControl(w, err)
		return
	}
	writeControl(w, flushed{n})
}
