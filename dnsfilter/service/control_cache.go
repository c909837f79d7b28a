package service

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/argine-dns/argine/dnsfilter"
)

// CachedAnswer is one answer for a name in the cache of the running service.
type CachedAnswer struct {
	Type    string   `json:"type"`
	DO      bool     `json:"do,omitempty"` // the answer is for queries with the DO bit
	CD      bool     `json:"cd,omitempty"` // the answer is for queries with the CD bit
	Rcode   string   `json:"rcode"`
	Records []string `json:"records,omitempty"` // records of the answer section, with the TTLs of the upstream
	Seconds int      `json:"seconds"`           // seconds until the answer expires; negative: seconds since it expired
	// Stale means that the answer has expired. It is used only while the upstream fails (serve-stale).
	Stale   bool `json:"stale,omitempty"`
	Failing bool `json:"failing,omitempty"` // the last attempt to refresh the answer failed

	// Action is the action for clients outside all views, if the answer has a blocked target (a CNAME, for example).
	// Empty: they get the answer.
	Action string `json:"action,omitempty"`
	List   string `json:"list,omitempty"`  // list or quorum that decided on the action
	Entry  string `json:"entry,omitempty"` // entry that decided on the action
}

// Cached returns the answers for a name in the cache; see [dnsfilter.Server.Cached].
func (c *Control) Cached(ctx context.Context, name string) (all []CachedAnswer, err error) {
	err = c.call(ctx, http.MethodPost, "/cache", nameRequest{name}, &all)
	return all, err
}

func (s *running) serveCache(w http.ResponseWriter, r *http.Request) {
	var of nameRequest
	var found []dnsfilter.CachedAnswer
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlRequest)).Decode(&of)
	if err == nil {
		found, err = s.server.Cached(of.Name)
	}
	if err != nil {
		refuseControl(w, err)
		return
	}
	out := make([]CachedAnswer, 0, len(found))
	for _, a := range found {
		one := CachedAnswer{
			Type: a.Type, DO: a.DO, CD: a.CD, Rcode: a.Rcode, Records: a.Records, Seconds: int(a.Expires.Seconds()),
			Stale: a.Stale, Failing: a.Failing,
		}
		if d := &a.Decision; d.Blocks() {
			one.Action, one.List, one.Entry = d.Action.String(), d.By(), d.Match.Entry()
		}
		out = append(out, one)
	}
	writeControl(w, out)
}
