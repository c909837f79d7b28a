package service_test

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServiceFollowsItsLocalData(t *testing.T) {
	t.Parallel()
	const zone = "lab.example SOA n. h. 1 2 3 4 5\n"
	r := newFolder(t, "records: local.zone\n")
	r.write(t, "local.zone", zone)
	r.start(t)
	r.becomes(t, "a.lab.example.", dns.RcodeNameError)
	r.write(t, "local.zone", zone+"a.lab.example A 192.0.2.1\n")
	r.becomes(t, "a.lab.example.", dns.RcodeSuccess)
	for _, broken := range []string{zone + "a.lab.example A\n", ""} {
		before := strings.Count(r.log.String(), "the settings in force stay")
		r.write(t, "local.zone", broken)
		require.Eventually(t, func() bool { return strings.Count(r.log.String(), "the settings in force stay") > before }, time.Minute, 10*time.Millisecond, "%q: %s", broken, r.log)
		assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.lab.example."))
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "b.lab.example."))
		status, err := r.control().Status(t.Context())
		require.NoError(t, err)
		assert.Contains(t, status.Settings, "reading records")
	}
}
