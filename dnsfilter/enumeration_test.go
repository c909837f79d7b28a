package dnsfilter_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
)

// TestListingThroughOtherNamesIsNoticed: a client uses names of its own with CNAME records to the names that it tries
// out.
func TestListingThroughOtherNamesIsNoticed(t *testing.T) {
	t.Parallel()
	var lines, zone strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "n%d.example\n198.51.100.%d\n", i, i%256)
		fmt.Fprintf(&zone, "a%d.test. 60 CNAME x.n%d.example.\nb%d.test. 60 A 198.51.100.%d\n", i, i, i, i%256)
	}
	for _, format := range []string{"a%d.test.", "b%d.test."} {
		s := dnstest.NewServer(t, dnsfilter.Config{
			Store: dnstest.NewStore(t, map[string]string{"l": lines.String()}), Upstream: dnstest.NewZone(t, zone.String()),
			Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}}},
		})
		for i := range 300 {
			ask(t, s, "udp", dnstest.Question(fmt.Sprintf(format, i), dns.TypeA))
		}
		assert.EqualValues(t, 1, s.Stats().Alarms, format)
	}
}

// TestListingIsNoticed: three clients are blocked, one many times by one entry, one by many entries of the operator,
// and one by many entries of an order. Only the last raises an alarm, once an hour, without its address or a name.
func TestListingIsNoticed(t *testing.T) {
	t.Parallel()
	var csam, ads strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&csam, "n%d.example\n", i)
		fmt.Fprintf(&ads, "ad%d.example\n", i)
	}
	store := dnstest.NewStore(t, map[string]string{"csam": csam.String(), "ads": ads.String()})
	synctest.Test(t, func(t *testing.T) {
		log := &logtest.Buffer{}
		s := dnstest.NewServer(t, dnsfilter.Config{
			Store: store, Log: slog.New(slog.NewTextHandler(log, nil)),
			Clients: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("2001:db8::/32")},
			Policy: dnsfilter.Policy{
				Rules: []dnsfilter.Rule{{List: "csam", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}, {List: "ads", Action: dnsfilter.NXDomain}},
			},
		})
		refuse := func(client, format string, n int) {
			d := distant{addr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(client), 1024))}
			for i := range n {
				s.ServeDNS(&d, dnstest.Question(fmt.Sprintf(format, i), dns.TypeA))
			}
		}
		alarms := func(want int) {
			t.Helper()
			assert.EqualValues(t, want, s.Stats().Alarms)
		}
		refuse("192.0.2.1", "w%d.n1.example.", 3000)
		refuse("192.0.2.2", "ad%d.example.", 3000)
		refuse("192.0.2.3", "n%d.example.", 150)
		for i := range 3000 { // many clients, each little
			refuse(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}).String(), "n%d.example.", 3)
		}
		alarms(0)
		assert.Empty(t, log.String())
		refuse("192.0.2.4", "n%d.example.", 300)
		alarms(1)
		refuse("192.0.2.4", "w.n%d.example.", 5000)
		alarms(1)
		for i := range 100 { // addresses of one customer
			refuse(fmt.Sprintf("2001:db8::%x:1", i), fmt.Sprintf("n%d%%d.example.", i+10), 9)
		}
		alarms(2)
		time.Sleep(time.Hour)
		refuse("192.0.2.4", "n%d.example.", 300)
		alarms(3)
		assert.Equal(t, 2, strings.Count(log.String(), "unusually many different entries"), "not more than one line a minute")
		for _, secret := range []string{"192.0.2", "2001:db8", "example"} {
			assert.NotContains(t, log.String(), secret)
		}
	})
}
