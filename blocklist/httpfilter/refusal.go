package httpfilter

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// refuse writes the response to a request that has a match.
func (f Filter) refuse(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // an unblocked URL is reachable at once
	if u, err := url.Parse(f.BlockedBy); err == nil && f.BlockedBy != "" {
		h.Set("Link", fmt.Sprintf(`<%s>; rel="blocked-by"`, u))
	}
	if f.Refusal != nil {
		refusing := &refusalWriter{ResponseWriter: w}
		f.Refusal.ServeHTTP(refusing, r)
		refusing.begin()
		return
	}
	m, _ := MatchOf(r)
	body, kind := page(m), "text/html; charset=utf-8"
	if wantsJSON(r.Header.Values("Accept")) {
		body, kind = object(m), "application/json"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusUnavailableForLegalReasons)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) // the client may be gone
	}
}

// refusalWriter sets the status 451 if the handler behind it sets none.
type refusalWriter struct {
	http.ResponseWriter
	begun bool
}

func (w *refusalWriter) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusUnavailableForLegalReasons)
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *refusalWriter) WriteHeader(status int) {
	w.begun = w.begun || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *refusalWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// FlushError implements the method that [http.ResponseController] uses.
func (w *refusalWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap implements the method that [http.ResponseController] uses.
func (w *refusalWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refusal is the JSON body of a refusal. It does not contain the entry, which may cover more than the requested URL.
type refusal struct {
	Status    int    `json:"status"`
	Title     string `json:"title"`
	List      string `json:"list"`
	Category  string `json:"category,omitempty"`
	Reference string `json:"ref,omitempty"`
}

func object(m blocklist.Match) string {
	const status = http.StatusUnavailableForLegalReasons
	b, err := json.Marshal(refusal{status, http.StatusText(status), m.List, m.Category, m.Reference})
	if err != nil {
		return "{}" // strings and a number can always be marshalled
	}
	return string(b) + "\n"
}

// page returns the HTML body of a refusal.
func page(m blocklist.Match) string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n<title>Unavailable For Legal Reasons</title>\n")
	b.WriteString("<h1>Unavailable For Legal Reasons</h1>\n<p>Access to this address is blocked.\n<dl>\n")
	for _, row := range [][2]string{{"List", m.List}, {"Category", m.Category}, {"Reference", m.Reference}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "<dt>%s<dd>%s\n", row[0], html.EscapeString(row[1]))
		}
	}
	b.WriteString("</dl>\n")
	return b.String()
}

// wantsJSON reports whether a client accepts JSON and does not prefer HTML.
func wantsJSON(accept []string) bool {
	var inJSON, inHTML float64
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, err := strconv.ParseFloat(params["q"], 64); err == nil {
			q = v
		}
		switch {
		case kind == "application/json" || strings.HasSuffix(kind, "+json"):
			inJSON = max(inJSON, q)
		case kind == "text/html":
			inHTML = max(inHTML, q)
		}
	}
	return inJSON > inHTML
}
