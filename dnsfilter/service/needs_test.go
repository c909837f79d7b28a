package service_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
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

// TestBuiltInNames: what so many depend on is protected in each list, until the settings say otherwise.
func TestBuiltInNames(t *testing.T) {
	t.Parallel()
	name, _ := guard.BuiltIn()[0].Name()
	r := newFolder(t, oneList)
	r.write(t, "allow.txt", "other.test\n")
	r.write(t, "local.txt", "a.test\n"+name.String()+"\n")
	r.start(t)
	assert.Contains(t, r.holds(t, "local", "protected").Report.Findings[0].Why, name.String()+" is protected, with all names below it (")
	s, err := r.control().Status(t.Context())
	require.NoError(t, err)
	assert.Contains(t, s.Guards, "built-in names")
	r.settings(t, "guard: {built_in: off}\n"+oneList)
	r.reload <- struct{}{}
	r.becomes(t, name.String()+".", dns.RcodeNameError)
}
