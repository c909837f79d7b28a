package rpz_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// canonical returns a record in canonical form, with the key by which names are sorted (RFC 4034, section 6).
func canonical(t *testing.T, rr dns.RR) (key, wire []byte) {
	t.Helper()
	buf := make([]byte, 1024)
	n, err := dns.PackRR(rr, buf, 0, nil, false)
	require.NoError(t, err)
	wire = buf[:n]
	var labels [][]byte
	i := 0
	for ; wire[i] != 0; i += 1 + int(wire[i]) {
		labels = append(labels, bytes.ToLower(wire[i+1:][:wire[i]]))
	}
	slices.Reverse(labels)
	for _, l := range labels {
		for _, c := range l {
			key = append(key, 1, c)
		}
		key = append(key, 0)
	}
	return append(key, wire[i+1:]...), wire
}

// digestOf returns the ZONEMD digest of the records of a transfer.
func digestOf(t *testing.T, records []dns.RR) string {
	t.Helper()
	type record struct{ key, wire []byte }
	var all []record
	for _, rr := range records[:len(records)-1] { // the SOA record is there twice
		if rr.Header().Rrtype != dns.TypeZONEMD {
			key, wire := canonical(t, rr)
			all = append(all, record{key, wire})
		}
	}
	slices.SortFunc(all, func(a, b record) int { return bytes.Compare(a.key, b.key) })
	hash := sha512.New384()
	for _, r := range all {
		hash.Write(r.wire)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// digests returns the ZONEMD records among others.
func digests(records []dns.RR) (all []*dns.ZONEMD) {
	for _, rr := range records {
		if d, ok := rr.(*dns.ZONEMD); ok {
			all = append(all, d)
		}
	}
	return all
}

// The digest is that of RFC 8976, also for addresses and for names that sort before a wildcard. Each serial of a
// transfer of changes has its own.
func TestZONEMD(t *testing.T) {
	t.Parallel()
	l := newLists(t)
	l.rules = []dnsfilter.Rule{
		{List: "l", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{
			netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::80"),
		}},
		{List: "m", Action: dnsfilter.NXDomain},
	}
	l.set(t, "l", "a.example", "=b.example", "192.0.2.0/24", "198.51.100.7", "2001:db8::/48", `\!odd.a.example`)
	l.set(t, "m", `x\.y.example`, "z.example", "sub.a.example", "zz.rpz-jq.example")
	path := filepath.Join(t.TempDir(), "block.zone")
	s := l.start(t, t.TempDir(), rpz.Config{ZONEMD: true, File: path})

	check := func() (serial uint32) {
		all, err := s.transfer(0, false)
		require.NoError(t, err)
		found := digests(all)
		require.Len(t, found, 1)
		assert.Equal(t, s.Status().Serial, found[0].Serial)
		assert.Equal(t, digestOf(t, all), found[0].Digest)
		return found[0].Serial
	}
	first := check()
	peerVerifies(t, path)
	l.set(t, "m", "z.example", "w.example")
	s.awaitSerial(first)
	second := check()
	changes, err := s.transfer(first, false)
	require.NoError(t, err)
	found := digests(changes)
	require.Len(t, found, 2, "it goes and comes")
	assert.Equal(t, []uint32{first, second}, []uint32{found[0].Serial, found[1].Serial})

	c := s.config
	c.ZONEMD = false
	s.Configure(c)
	s.awaitSerial(second)
	all, err := s.transfer(0, false)
	require.NoError(t, err)
	assert.Empty(t, digests(all))
	changes, err = s.transfer(second, false)
	require.NoError(t, err)
	assert.Len(t, changes, 5, "only the digest goes")
}

// peerVerifies lets another program verify the digest of a zone file.
func peerVerifies(t *testing.T, path string) {
	t.Helper()
	peer, err := exec.LookPath("ldns-verify-zone")
	if err != nil {
		t.Log("not compared with ldns-verify-zone, which is not installed")
		return
	}
	require.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, 5*time.Second, time.Millisecond)
	out, err := exec.CommandContext(t.Context(), peer, "-Z", path).CombinedOutput()
	require.NoError(t, err, string(out))
}
