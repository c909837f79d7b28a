package service_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// TestPeersStartAlone: a secondary that is killed, or restarted, while the primary is away blocks what it blocked
// before, and all but BIND do from their first answer on. When the primary is back, it follows again.
func TestPeersStartAlone(t *testing.T) {
	t.Parallel()
	for name, p := range secondaries() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.need(t)
			a := newAgency(t)
			a.change(t, []string{"first.test", "gone.test"}, nil)
			f := follow(t, a, p, 20*time.Second)
			awaitVerdict(t, f.addr, "first.test.", "NXDOMAIN ", 20*time.Second)
			listed := []string{"first.test."}
			for end, stop := range map[string]func(){
				"killed": func() { f.process.Kill() }, "stopped": func() { f.process.Stop() },
			} {
				a.change(t, []string{end + ".test"}, []string{"gone.test"})
				listed = append(listed, end+".test.")
				awaitVerdict(t, f.addr, end+".test.", "NXDOMAIN ", 20*time.Second)
				require.NoError(t, f.running.stop())
				stop()
				f.process = f.begin()
				if p.early {
					awaitVerdict(t, f.addr, "first.test.", "NXDOMAIN ", 20*time.Second)
				}
				for _, name := range listed {
					require.Equal(t, "NXDOMAIN ", firstVerdict(t, f.addr, name), "%s: %s", end, name)
				}
				require.Equal(t, "NOERROR 192.0.2.3", firstVerdict(t, f.addr, "gone.test."), end)
				f.log = &logtest.Buffer{}
				f.running.start(t)
				a.change(t, []string{"gone.test"}, nil)
				awaitVerdict(t, f.addr, "gone.test.", "NXDOMAIN ", time.Minute)
			}
		})
	}
}

// firstVerdict waits until a resolver answers, and returns what.
func firstVerdict(t *testing.T, addr, name string) (got string) {
	t.Helper()
	c := dns.Client{Timeout: time.Second}
	require.True(t, peers.Wait(t, 20*time.Second, func() bool {
		m, _, err := c.Exchange(dnstest.Question(name, dns.TypeA), addr)
		if err == nil {
			got = answerText(m)
		}
		return err == nil
	}))
	return got
}
