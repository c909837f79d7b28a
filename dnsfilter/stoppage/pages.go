package stoppage

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/argine-dns/argine/dnsfilter"
)

// maxPages is the maximum number of rendered pages in memory. When it is reached, all are dropped.
const maxPages = 1000

// pageKey identifies a rendered page. It has all that the content depends on, except the host.
type pageKey struct {
	notice    *dnsfilter.Notice // notice of the list or quorum; nil: the neutral page
	list      string
	legal     bool
	reference string
	language  int
}

// pages has the rendered pages for one configuration of the server.
type pages struct {
	templates *Templates
	operator  string

	mu   sync.RWMutex
	made map[pageKey]*page
}

// page is a rendered page, split at the positions of the host.
type page struct {
	header   http.Header // HTTP header, shared by all responses: it must not be changed
	parts    []string
	requests *atomic.Uint64
}

// policy is the Content-Security-Policy of each page. It allows neither scripts nor anything from other servers.
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

// header returns the HTTP header of a page.
func (p *pages) header(key pageKey) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.templates.languages[key.language])
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Vary", "Accept-Language")
	h.Set("X-Content-Type-Options", "nosniff")
	if u, err := url.Parse(p.operator); err == nil && p.operator != "" && key.legal {
		h.Set("Link", fmt.Sprintf(`<%s>; rel="blocked-by"`, u))
	}
	return h
}

// get returns the page with this key. It renders the page if it is not in memory.
func (p *pages) get(key pageKey, counters *counters) (*page, error) {
	p.mu.RLock()
	found := p.made[key]
	p.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	text, err := p.templates.render(key.language, p.content(key))
	if err != nil {
		return nil, err
	}
	found = &page{
		header: p.header(key), parts: strings.Split(text, hostMark),
		requests: counters.of(key.list, p.templates.languages[key.language]),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil || len(p.made) >= maxPages {
		p.made = map[pageKey]*page{}
	}
	p.made[key] = found
	return found, nil
}

// content returns the data for the template of a page. If the notice names no authority, the page does not have the
// reference of the entry either. The same is true of extended errors.
func (p *pages) content(key pageKey) Page {
	out := Page{Operator: p.operator, List: key.list, Legal: key.legal, Blocked: key.notice != nil}
	if !out.Blocked || key.notice.Authority == "" {
		return out
	}
	out.Authority, out.AuthorityLanguage, out.Reference = key.notice.Authority, key.notice.Language, key.reference
	for _, uri := range key.notice.Contact {
		out.Contacts = append(out.Contacts, newContact(uri))
	}
	return out
}

// counters counts shown pages by list and language.
type counters struct {
	mu sync.Mutex
	by map[Shown]*atomic.Uint64
}

func (c *counters) of(list, language string) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	what := Shown{list, language}
	if c.by[what] == nil {
		if c.by == nil {
			c.by = map[Shown]*atomic.Uint64{}
		}
		c.by[what] = new(atomic.Uint64)
	}
	return c.by[what]
}

// Shown is a list and a language, by which shown pages are counted.
type Shown struct {
	List     string // list or quorum that decided; empty: the neutral page
	Language string
}

// all returns the number of pages shown so far, by list and language.
func (c *counters) all() map[Shown]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[Shown]uint64, len(c.by))
	for what, n := range c.by {
		out[what] = n.Load()
	}
	return out
}
