package desk

import (
	"context"
	"net/http"

	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// signaturesPath is the path for uploads of signature files, which may be longer than other forms.
const signaturesPath = "/signatures"

// decidePost is the path for decisions about proposals, whose forms may be longer than others, too.
const decidePost = "/proposals/decide"

// reportsPath is the path to which other programs send reports. They have tokens instead of sessions.
const reportsPath = "/api/reports"

// routes returns the handler for all paths of the desk.
func (d *Desk) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /assets/{hash}/{name}", d.assets)
	m.Handle("POST "+reportsPath, proposal.NewReports(d.ledger.use))
	m.HandleFunc("GET /enter", d.enter)
	m.HandleFunc("POST /link", d.askLink)
	m.HandleFunc("POST /leave", d.leave)
	m.HandleFunc("POST "+preferencesPath, d.setPreferences)
	m.HandleFunc("GET /terminal/request", d.terminal(d.terminalRequest))
	m.HandleFunc("POST /terminal/signature", d.terminal(d.terminalSignature))
	shown := map[string]bool{} // paths that have a page
	for _, p := range pages() {
		m.Handle(p.method+" "+p.path, d.page(p.may, p.show))
		shown[p.path] = shown[p.path] || p.method == http.MethodGet
	}
	for path, ok := range shown {
		if !ok {
			m.Handle("GET "+path, d.page(see, func(*visit) error { return errNoForm }))
		}
	}
	m.Handle("/", d.page(see, func(*visit) error { return errNoPage }))
	return m
}

// route is the handler of a page or of a form, with the right that it requires.
type route struct {
	method, path string
	may          right
	show         func(*visit) error
}

// pages returns the routes for people with a session.
func pages() []route {
	return []route{
		{"GET", preferencesPath, see, (*visit).preferences},
		{"GET", "/{$}", see, (*visit).start},
		{"GET", "/search", see, (*visit).search},
		{"GET", "/entries", see, (*visit).entries},
		{"GET", "/entry", see, (*visit).entry},
		{"GET", "/entry/page", see, (*visit).entryPage},
		{"GET", "/history", see, (*visit).history},
		{"GET", "/operation/{id}", see, (*visit).operation},
		{"GET", "/decision/{id}", see, (*visit).decision},
		{"GET", "/add", change, (*visit).addForm},
		{"POST", "/add", change, (*visit).add},
		{"GET", "/withdraw", change, (*visit).withdrawForm},
		{"POST", "/withdraw", change, (*visit).withdraw},
		{"GET", "/pending", see, (*visit).pending},
		{"POST", "/release", decide, (*visit).release},
		{"GET", discardPath, decide, (*visit).discardForm},
		{"POST", discardPath, decide, (*visit).discard},
		{"POST", "/push", decide, (*visit).push},
		{"POST", "/request", sign, (*visit).request},
		{"POST", "/code", sign, (*visit).makeCode},
		{"GET", "/pending/code/{id}", sign, (*visit).code},
		{"GET", "/urgent/code/{id}", sign, (*visit).code},
		{"GET", "/root.json", see, (*visit).root},
		{"POST", signaturesPath, sign, (*visit).bringSignatures},
		{"GET", "/urgent", see, (*visit).urgent},
		{"POST", "/urgent", change, (*visit).askUrgent},
		{"POST", "/urgent/cancel", change, (*visit).cancelUrgent},
		{"POST", "/urgent/push", decide, (*visit).pushUrgent},
		{"GET", "/urgent/keep", change, (*visit).keepForm},
		{"POST", "/urgent/keep", change, (*visit).keepUrgent},
		{"GET", "/urgent/end", decide, (*visit).endForm},
		{"POST", "/urgent/end", decide, (*visit).endUrgent},
		{"GET", "/urgent/remove", change, (*visit).removeForm},
		{"POST", "/urgent/remove", change, (*visit).removeUrgent},
		{"GET", "/due", see, (*visit).due},
		{"GET", "/proposals", see, (*visit).proposals},
		{"GET", "/proposals.csv", see, (*visit).proposalTable},
		{"GET", "/proposal/{id}", see, (*visit).proposal},
		{"GET", "/proposals/review", see, (*visit).reviewProposals},
		{"POST", decidePost, change, (*visit).decideProposals},
		{"GET", "/propose", change, (*visit).proposeForm},
		{"POST", "/propose", change, (*visit).propose},
		{"GET", "/subscribers", see, (*visit).subscribers},
		{"GET", "/platforms", see, (*visit).platforms},
		{"GET", "/reports", audit, (*visit).reports},
		{"GET", "/reports/{month}", audit, (*visit).report},
		{"GET", "/people", audit, (*visit).people},
	}
}

// secured adds security headers to all responses, and limits to all requests. It refuses forms from other sites
// (cross-site request forgery) and, on loopback, requests for another host name (DNS rebinding).
func (d *Desk) secured(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if d.sessions != nil && !isLoopback(r.Host) {
			http.Error(w, "this desk is at a loopback address only", http.StatusMisdirectedRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestWithin)
		defer cancel()
		limit := int64(maxBody)
		switch r.URL.Path {
		case signaturesPath:
			limit = maxUpload
		case decidePost:
			limit = maxDecisions
		case reportsPath:
			limit = proposal.MaxReportsBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}
