package fetch

import (
	"fmt"
	"net/http"

	"github.com/argine-dns/argine/blocklist/internal/httpget"
)

const maxRedirects = 3

// newClient returns a client with the transport and the cookies of the argument model. If model is nil, the transport
// has default limits. Redirects are limited by [allowedHosts.check].
func newClient(model *http.Client, hosts allowedHosts) *http.Client {
	if model == nil {
		model = &http.Client{Transport: httpget.NewTransport()}
	}
	return &http.Client{Transport: model.Transport, Jar: model.Jar, CheckRedirect: hosts.check}
}

// allowedHosts are the hosts and ports of all origins of a subscription. Redirects may lead only to these. Otherwise
// a mirror could redirect a subscriber to services that only the subscriber can reach (server-side request forgery).
type allowedHosts map[string]bool

// check is the redirect policy of a client: at most maxRedirects, to the same host, or by https to another origin. A
// POST is not redirected.
func (hosts allowedHosts) check(next *http.Request, via []*http.Request) error {
	from, to := via[0].URL, next.URL
	switch {
	case via[0].Method == http.MethodPost:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	case to.Scheme != from.Scheme && to.Scheme != "https":
		return fmt.Errorf("redirected from %s to %.20q", from.Scheme, to.Scheme)
	case to.Host != from.Host && (to.Scheme != "https" || !hosts[to.Host]):
		return fmt.Errorf("redirected to %.80q, which is none of the origins", to.Host)
	}
	return nil
}
