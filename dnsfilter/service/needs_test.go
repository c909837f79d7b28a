package service_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
)

// TestGuardsKnowWhatTheResolverNeeds: a list must not cut the resolver off from the next correction.
func TestGuardsKnowWhatTheResolverNeeds(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close) // after the service has ended
	r := newFolder(t, fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s', 'http://origin.example.org:8470']}\n"+
		"  - {name: local, file: local.txt}\n", a.root(), web.URL))
	r.write(t, "local.txt", "a.test\n")
	a.publish(t, "bad.test")
	r.start(t)
	r.becomes(t, "bad.test.", dns.RcodeNameError)
	a.publish(t, "example.org")
	held := r.holds(t, "it.example/test", "protected")
	assert.Contains(t, held.Report.Findings[0].Why, "it covers origin.example.org, which is protected (this resolver needs it: list it.example/test comes from there)")
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "origin.example.org."))
	r.write(t, "local.txt", "a.test\n=origin.example.org\n")
	r.holds(t, "local", "protected")
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "origin.example.org."))
}
