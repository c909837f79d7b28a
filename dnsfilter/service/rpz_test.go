package service_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
)

// zoneNames returns the names of the policy zone with an NXDOMAIN record, wildcards left out.
func (r *running) zoneNames(t *testing.T, zone string) (names []string) {
	t.Helper()
	envelopes, err := new(dns.Transfer).In(new(dns.Msg).SetAxfr(zone+"."), r.addr)
	require.NoError(t, err)
	for e := range envelopes {
		require.NoError(t, e.Error)
		for _, rr := range e.RR {
			if c, ok := rr.(*dns.CNAME); ok && c.Target == "." && !strings.HasPrefix(c.Hdr.Name, "*") {
				names = append(names, strings.TrimSuffix(c.Hdr.Name, "."+zone+"."))
			}
		}
	}
	return names
}

func (r *running) zoneBecomes(t *testing.T, zone string, names ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		m := dnstest.Exchange(t, "udp", r.addr, dnstest.Question(zone+".", dns.TypeSOA))
		return m.Authoritative && fmt.Sprint(r.zoneNames(t, zone)) == fmt.Sprint(names)
	}, time.Minute, 20*time.Millisecond, r.log)
}

// TestPolicyZonesFollowTheSettings: zones come and go with a reload, and a file on hold leaves its zone as it is, over a
// restart, too.
func TestPolicyZonesFollowTheSettings(t *testing.T) {
	t.Parallel()
	const zones = "guard: {protected: [protected.txt]}\n" + oneList + "rpz:\n  - {zone: one.rpz.example, lists: [local], key: none, allow: [127.0.0.1]}\n"
	r := newFolder(t, zones)
	r.write(t, "local.txt", "a.test\nb.test\n")
	r.write(t, "allow.txt", "c.test\n")
	r.write(t, "protected.txt", "p.test\n")
	r.start(t)
	r.zoneBecomes(t, "one.rpz.example", "a.test", "b.test")
	r.write(t, "local.txt", "a.test\n")
	r.zoneBecomes(t, "one.rpz.example", "a.test")
	serial := zoneOf(t, r).Serial

	r.write(t, "local.txt", "a.test\np.test\n")
	r.holds(t, "local", "protected")
	assert.Equal(t, []string{"a.test"}, r.zoneNames(t, "one.rpz.example"))
	require.NoError(t, r.stop())
	r.log = &logtest.Buffer{}
	r.start(t)
	r.zoneBecomes(t, "one.rpz.example", "a.test")
	assert.Equal(t, serial, zoneOf(t, r).Serial)
	r.write(t, "local.txt", "a.test\nd.test\n")
	r.zoneBecomes(t, "one.rpz.example", "a.test", "d.test")

	r.settings(t, zones+"  - {zone: two.rpz.example, lists: [local], key: none, allow: [127.0.0.1]}\n")
	r.reload <- struct{}{}
	r.zoneBecomes(t, "two.rpz.example", "a.test", "d.test")
	r.settings(t, "guard: {protected: [protected.txt]}\n"+oneList)
	r.reload <- struct{}{}
	require.Eventually(t, func() bool {
		return !dnstest.Exchange(t, "udp", r.addr, dnstest.Question("one.rpz.example.", dns.TypeSOA)).Authoritative
	}, time.Minute, 20*time.Millisecond)
	states, err := filepath.Glob(filepath.Join(r.dir, "state", "rpz", "*", "state.json"))
	require.NoError(t, err)
	assert.Len(t, states, 2, "a zone that comes back goes on with its serial")
}
