package service

import (
	"context"
	"encoding/json"
	"net/http"
)

// Reloaded is the result of a reload.
type Reloaded struct {
	Lists   int    `json:"lists"`   // number of lists in the settings
	Entries uint64 `json:"entries"` // number of entries of these lists in the store

	Restart []string `json:"restart,omitempty"` // keys of the settings whose new values need a restart
}

// Reload makes the service read its settings and files again; see [Service.Reload]. The new settings may remove lists.
func (c *Control) Reload(ctx context.Context) (r Reloaded, err error) {
	err = c.call(ctx, http.MethodPost, "/reload", struct{}{}, &r)
	return r, err
}

// nameRequest is the body of a request about a name. flushed is the body of the response to a flush: the number of
// removed answers.
type (
	nameRequest struct {
		Name string `json:"name"`
	}
	flushed struct {
		Answers int `json:"answers"`
	}
)

// Flush removes the cached answers for a name and the names below it; see [dnsfilter.Server.Flush].
func (c *Control) Flush(ctx context.Context, name string) (answers int, err error) {
	var f flushed
	err = c.call(ctx, http.MethodPost, "/flush", nameRequest{name}, &f)
	return f.Answers, err
}

func (s *running) serveFlush(w http.ResponseWriter, r *http.Request) {
	var f nameRequest
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
