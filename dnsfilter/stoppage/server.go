package stoppage

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// Decide returns the decision on a name for a client, like [dnsfilter.Server.Decide]. The name is in lower-case wire
// form.
type Decide func(name []byte, client netip.Addr) dnsfilter.Decision

// Config is the configuration of a server. [Server.Reconfigure] replaces it while the server runs.
type Config struct {
	Templates *Templates // templates of the pages; must not be nil
	// BlockedBy is the URL of the operator, for the page and for the header Link (RFC 7725). The operator is not the
	// authority behind a list. Empty: none.
	BlockedBy string
}

// Server is an HTTP handler that shows the stop page.
type Server struct {
	decide  Decide
	current atomic.Pointer[pages]
	shown   counters
	refused atomic.Uint64
	open    atomic.Int64
}

// New creates a server. It starts nothing: call [Server.ServeHTTPOn] and [Server.RefuseTLSOn].
func New(decide Decide, c Config) *Server {
	s := &Server{decide: decide}
	s.Reconfigure(c)
	return s
}

// Reconfigure replaces the configuration. It may be called while the server runs.
func (s *Server) Reconfigure(c Config) {
	s.current.Store(&pages{templates: c.Templates, operator: c.BlockedBy})
}

// Stats has the counters of a server since it was created.
type Stats struct {
	Shown   map[Shown]uint64 // number of pages shown, by list and language
	Refused uint64           // number of TLS connections refused
	Open    int              // number of open HTTP connections
}

// Stats returns the counters of the server.
func (s *Server) Stats() Stats {
	return Stats{Shown: s.shown.all(), Refused: s.refused.Load(), Open: int(s.open.Load())}
}

// ServeHTTP implements [http.Handler]. It shows the page for the host of the request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // a name that is not blocked any more is reachable at once
	if s.open.Load() > maxConns/2 {
		h.Set("Connection", "close")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	now := s.current.Load()
	key, host, status := s.judge(r)
	authority := ""
	if key.notice != nil {
		authority = key.notice.Language
	}
	key.language = now.templates.match(r.Header.Get("Accept-Language"), authority)
	p, err := now.get(key, &s.shown)
	if err != nil { // the templates were executed before; only a page that is too long is left
		http.Error(w, http.StatusText(status), status)
		return
	}
	p.requests.Add(1)
	p.write(w, host, status)
}

// write sends the page as the response, with the given HTTP status. It inserts the host into the page.
func (p *page) write(w http.ResponseWriter, host string, status int) {
	h := w.Header()
	maps.Copy(h, p.header)
	body := strings.Join(p.parts, host)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) //nolint:gosec // the host has no characters of HTML; an error means that the client is gone
}

// judge returns the key of the page for a request, the host to insert, and the HTTP status. The key has no language
// yet.
func (s *Server) judge(r *http.Request) (key pageKey, host string, status int) {
	name, addr, err := blocklist.ParseHost(r.Host)
	switch {
	case err != nil:
		return pageKey{}, "", http.StatusBadRequest
	case addr.IsValid():
		return pageKey{}, addr.String(), http.StatusMisdirectedRequest
	}
	host = shownHost(name.String())
	client, _ := netip.ParseAddrPort(r.RemoteAddr)
	d := s.decide([]byte(name), client.Addr())
	if !d.Blocks() {
		return pageKey{}, host, http.StatusMisdirectedRequest
	}
	key = pageKey{notice: d.Notice(), list: d.By(), reference: d.Match.Reference, legal: d.Reason() == dnsfilter.Censored}
	if key.legal {
		return key, host, http.StatusUnavailableForLegalReasons
	}
	return key, host, http.StatusForbidden
}

// shownHost percent-encodes all characters of a name except letters, digits, hyphens, underscores and dots, so that
// nothing has a meaning in HTML, URLs or scripts.
func shownHost(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c == '-' || c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
