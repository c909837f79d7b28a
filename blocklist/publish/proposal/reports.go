package proposal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Limits of [Reports].
const (
	MaxReports     = 1000    // maximum number of reports in one request
	MaxReportsBody = 1 << 20 // maximum length of a request body, in bytes
	// reportsAMinute is the limit of requests a minute: for each source, and for all requests without a valid token
	// together.
	reportsAMinute = 120
)

// Reports is an [http.Handler] to which programs send reports: POST with Authorization: Bearer TOKEN, see [NewToken].
// The body is JSON, one report or an array of at most [MaxReports]:
//
//	{"target": "https://bad.example/page", "key": "2026-17", "received": "2026-11-03T08:00:00Z", "category": "csam",
//	 "reference": "case 17", "evidence": "SHA-256", "note": "...", "reporter": "...", "withdraw": false}
//
// Only target is required. The key makes a report idempotent: a report sent again does not become a second proposal.
// The answer has one result for each report, in the same order: id, key, outcome ([Recorded], [Repeated], [Rejected])
// and why. It never says what is listed.
//
// The status is 200 even if some reports are rejected. It is 400, 413 or 415 for a body that can't be read, 401 without
// a valid token, and 405 for another method than POST. It is 429 beyond 120 requests a minute, and 503 while another
// process changes the ledger; both come with the header Retry-After.
type Reports struct {
	use func(func(*publish.Ledger) error) error

	mu     sync.Mutex
	minute int64
	count  map[string]int // number of requests in this minute, by source; "": those without a valid token
}

// NewReports returns the handler. For each request, the handler calls use with a function do. The function use must
// call do with the open ledger, and return the error of do.
func NewReports(use func(do func(*publish.Ledger) error) error) *Reports { return &Reports{use: use} }

// report is one report in the body of a request.
type report struct {
	Target    string    `json:"target"`
	Key       string    `json:"key"`
	Received  time.Time `json:"received"`
	Category  string    `json:"category"`
	Reference string    `json:"reference"`
	Evidence  string    `json:"evidence"`
	Note      string    `json:"note"`
	Reporter  string    `json:"reporter"`
	Withdraw  bool      `json:"withdraw"`
}

// reported is the result for one report in the answer.
type reported struct {
	ID      int64   `json:"id,omitempty"`
	Key     string  `json:"key,omitempty"`
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"`
}

// ServeHTTP implements [http.Handler].
func (h *Reports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	var results []reported
	err := h.use(func(l *publish.Ledger) (err error) {
		results, err = h.take(w, r, l)
		return err
	})
	if err == nil {
		_ = json.NewEncoder(w).Encode(map[string]any{"results": results}) // the client may be gone
		return
	}
	status := http.StatusInternalServerError
	failed := (*refusal)(nil)
	switch {
	case errors.As(err, &failed):
		status = failed.status
	case errors.Is(err, blocklist.ErrBusy):
		status = http.StatusServiceUnavailable
	default:
		err = errors.New("the report could not be recorded")
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "60")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// refusal is an error that the handler answers with this HTTP status.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// take reads the reports of a request, records them as proposals, and returns the results.
func (h *Reports) take(w http.ResponseWriter, r *http.Request, l *publish.Ledger) ([]reported, error) {
	source, err := h.source(r, l)
	if err != nil {
		return nil, err
	}
	reports, err := readReports(http.MaxBytesReader(w, r.Body, MaxReportsBody), r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	all := make([]Proposal, len(reports))
	for i, p := range reports {
		all[i] = Proposal{
			Target: p.Target, Source: source, Key: p.Key, Received: p.Received, Category: p.Category, Reference: p.Reference,
			Evidence: p.Evidence, Note: p.Note, Reporter: p.Reporter, Withdraw: p.Withdraw,
		}
	}
	by := publish.Audit{Author: source, Reason: publish.CauseReport.Text}
	done, err := Propose(context.WithoutCancel(r.Context()), l, all, by, nil)
	if err != nil {
		return nil, err
	}
	results := make([]reported, len(done))
	for i, d := range done {
		results[i] = reported{ID: d.ID, Key: d.Key, Outcome: d.Outcome, Why: d.Why}
	}
	return results, nil
}

// source returns the name of the source whose token the request has. It fails with a refusal for a wrong method or
// token, or beyond the rate limit.
func (h *Reports) source(r *http.Request, l *publish.Ledger) (string, error) {
	if r.Method != http.MethodPost {
		return "", refuse(http.StatusMethodNotAllowed, "reports are sent with POST")
	}
	all, err := Sources(r.Context(), l)
	if err != nil {
		return "", err
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	source, ok := "", false
	if strings.EqualFold(scheme, "Bearer") {
		source, ok = sourceOf(all, token)
	}
	if !h.admit(source, time.Now()) {
		return "", refuse(http.StatusTooManyRequests, "more than %d requests a minute", reportsAMinute)
	}
	if !ok {
		return "", refuse(http.StatusUnauthorized, "the token does not count; blocklist source token makes one")
	}
	return source, nil
}

// admit counts a request, and reports whether it is within the rate limit of its source. The empty name stands for all
// requests without a valid token.
func (h *Reports) admit(source string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if minute := now.Unix() / 60; minute != h.minute || h.count == nil {
		h.minute, h.count = minute, map[string]int{}
	}
	h.count[source]++
	return h.count[source] <= reportsAMinute
}

// readReports parses the body of a request: one report or an array.
func readReports(body io.Reader, contentType string) (reports []report, err error) {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "the Content-Type is application/json")
	}
	text, err := io.ReadAll(body)
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "a request has at most %d bytes", MaxReportsBody)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body can't be read")
	}
	trimmed := strings.TrimSpace(string(text))
	if !strings.HasPrefix(trimmed, "[") {
		trimmed = "[" + trimmed + "]"
	}
	dec := json.NewDecoder(strings.NewReader(trimmed))
	dec.DisallowUnknownFields()
	err = dec.Decode(&reports)
	if _, end := dec.Token(); err == nil && !errors.Is(end, io.EOF) {
		err = errors.New("something follows it")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is not a report, nor an array of reports: %v", err)
	}
	if len(reports) == 0 || len(reports) > MaxReports {
		return nil, refuse(http.StatusRequestEntityTooLarge, "a request has 1 to %d reports", MaxReports)
	}
	return reports, nil
}
