package formats_test

import (
	"bytes"
	"errors"
	"flag"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// everything has each scope, attribute and oddity once.
const everything = `example.com category=csam ref="order 7" added=2026-01-02
=www.example.org
=example.net
example.net
example.com
=example.com
https://t.test/channel/*
192.0.2.0/24
198.51.100.7
2001:db8::/32
2001:db8:0:1::7
monitored.test status=monitor
=monitored.test status=monitor
expired.test expires=2026-01-01
expires.test expires=2027-01-01
odd\.dot\000.test
=\034q\;\@\$\(.test
\*.star.test
7up.test
zip
=\042.deep.test
foo.rpz-ip
`

func entriesOf(t *testing.T, text string) iter.Seq2[blocklist.Entry, error] {
	t.Helper()
	r, err := formats.NewReader(strings.NewReader(text), formats.Options{Format: formats.Argine})
	require.NoError(t, err)
	return r.Entries()
}

var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func TestWriteGolden(t *testing.T) {
	const domain, host, url, ip = blocklist.ScopeDomain, blocklist.ScopeHost, blocklist.ScopeURL, blocklist.ScopeIP
	type counts = map[blocklist.Scope]int
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for f, want := range map[formats.Format]formats.Written{
		formats.Domains:  {Entries: 5, Duplicates: 2, Expired: 1, Expiring: 1, Until: end, Skipped: counts{domain: 4, host: 5, url: 1, ip: 4}},
		formats.Hosts:    {Entries: 3, Expired: 1, Skipped: counts{domain: 10, host: 3, url: 1, ip: 4}},
		formats.RPZ:      {Entries: 13, Duplicates: 2, Expired: 1, Expiring: 1, Until: end, Skipped: counts{domain: 3, host: 2, url: 1}},
		formats.Dnsmasq:  {Entries: 6, Duplicates: 2, Expired: 1, Expiring: 1, Until: end, Skipped: counts{domain: 3, host: 5, url: 1, ip: 4}},
		formats.Unbound:  {Entries: 8, Duplicates: 2, Expired: 1, Expiring: 1, Until: end, Skipped: counts{domain: 3, host: 3, url: 1, ip: 4}},
		formats.Adblock:  {Entries: 7, Duplicates: 2, Expired: 1, Expiring: 1, Until: end, Skipped: counts{domain: 4, host: 5, url: 1, ip: 2}},
		formats.Nftables: {Entries: 4, Covered: 1, Expired: 1, Skipped: counts{domain: 10, host: 6, url: 1}},
		formats.IPSet:    {Entries: 4, Covered: 1, Expired: 1, Skipped: counts{domain: 10, host: 6, url: 1}},
		formats.BIRD:     {Entries: 4, Covered: 1, Expired: 1, Skipped: counts{domain: 10, host: 6, url: 1}},
		formats.CSV:      {Entries: 16, Expired: 1, Skipped: counts{domain: 3, host: 2}},
		formats.Argine:   {Entries: 22, Skipped: counts{}},
	} {
		t.Run(string(f), func(t *testing.T) {
			var out bytes.Buffer
			got, err := formats.Write(&out, f, entriesOf(t, everything), formats.WriteOptions{SkipUnsupported: true, Now: now})
			require.NoError(t, err)
			assert.Equal(t, want, got)
			golden := filepath.Join("testdata", "everything."+string(f))
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
			}
			file, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(file), out.String())
		})
	}
}

// An end that a format can't say is counted, or what has one is left out.
func TestWriteExpiring(t *testing.T) {
	text := "a.test expires=2027-05-01\nb.test\nc.test expires=2027-03-01\nold.test expires=2026-01-01\nc.test\n"
	for f, last := range map[formats.Format]string{formats.Domains: "c.test\n", formats.Dnsmasq: "local=/c.test/\n"} {
		var out bytes.Buffer
		first := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
		got, err := formats.Write(&out, f, entriesOf(t, text), formats.WriteOptions{Now: now})
		require.NoError(t, err)
		assert.Equal(t, formats.Written{Entries: 3, Duplicates: 1, Expired: 1, Expiring: 2, Until: first, Skipped: map[blocklist.Scope]int{}}, got)
		out.Reset()
		got, err = formats.Write(&out, f, entriesOf(t, text), formats.WriteOptions{Now: now, SkipExpiring: true})
		require.NoError(t, err)
		assert.Equal(t, formats.Written{Entries: 2, Expired: 1, Expiring: 2, Until: first, Skipped: map[blocklist.Scope]int{}}, got)
		assert.True(t, strings.HasSuffix(out.String(), last), "what is listed for good as well is written")
		assert.NotContains(t, out.String(), "a.test")
	}
	var out bytes.Buffer
	got, err := formats.Write(&out, formats.Argine, entriesOf(t, text), formats.WriteOptions{Now: now, SkipExpiring: true})
	require.NoError(t, err)
	assert.Equal(t, formats.Written{Entries: 5, Skipped: map[blocklist.Scope]int{}}, got, "our own lines say it")
}

// Nothing is written twice, in any format; what says something else of the same target is something else.
func TestWriteOnce(t *testing.T) {
	text := "a.test\nb.test\na.test\nA.test.\na.test category=x\nb.test status=monitor\n"
	var out bytes.Buffer
	got, err := formats.Write(&out, formats.Argine, entriesOf(t, text), formats.WriteOptions{})
	require.NoError(t, err)
	assert.Equal(t, formats.Written{Entries: 4, Duplicates: 2, Skipped: map[blocklist.Scope]int{}}, got)
	assert.Equal(t, "# argine entries\na.test\nb.test\na.test category=x\nb.test status=monitor\n", out.String())
}

func TestWriteRefuses(t *testing.T) {
	text := "a.test\n=b.test\nhttps://c.test/x\n=d.test\ne.test status=monitor\n"
	for f, want := range map[formats.Format]string{
		formats.Domains: "(1 domain, 2 host, 1 url)",
		formats.Hosts:   "(2 domain, 1 url)",
		formats.RPZ:     "(1 domain, 1 url)",
	} {
		_, err := formats.Write(&bytes.Buffer{}, f, entriesOf(t, text), formats.WriteOptions{})
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorAs(t, err, new(*formats.UnsupportedError))
		assert.ErrorContains(t, err, want)
	}
	_, err := formats.Write(&bytes.Buffer{}, formats.CNCPO, entriesOf(t, text), formats.WriteOptions{})
	assert.ErrorContains(t, err, "domains, hosts, rpz, adblock, dnsmasq, unbound, csv, argine")
	_, err = formats.Write(&bytes.Buffer{}, formats.RPZ, entriesOf(t, text), formats.WriteOptions{Zone: "a..b"})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

func TestWriteFails(t *testing.T) {
	full := errors.New("disk full")
	fullDisk := func(yield func(blocklist.Entry, error) bool) { yield(blocklist.Entry{}, full) }
	_, err := formats.Write(&bytes.Buffer{}, formats.Argine, fullDisk, formats.WriteOptions{})
	require.ErrorIs(t, err, full, "what the entries end with comes through")
	_, err = formats.Write(failing{full}, formats.Domains, entriesOf(t, "a.test\n"), formats.WriteOptions{})
	assert.ErrorIs(t, err, full)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// set returns a list as a set of entries without their attributes.
func set(t *testing.T, entries iter.Seq2[blocklist.Entry, error]) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for e, err := range entries {
		require.NoError(t, err)
		out[e.Target()] = true
	}
	return out
}

// What a format can express comes back from it as the same entries.
func TestRoundTrip(t *testing.T) {
	const text = "a.test\n=b.test\nc.test\n=www.d.test\n192.0.2.0/24\n2001:db8::/32\n2001:db8:0:1::7\n::/0\n0.0.0.0/0\n1:0:0:2::3\n" +
		"odd\\.dot\\000.test\n=\\034q\\;\\@\\$\\(.test\nzip\n=x.y.\\*.z.test\n\\@.test\n"
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." // 192 octets
	tooLong := long + strings.Repeat("d", 56) + ".test\n"                                                 // 255 octets
	fits := long + strings.Repeat("d", 50) + ".test\n"                                                    // 249, and 2 for the star, 4 for the zone
	for f, keep := range map[formats.Format]func(blocklist.Entry) bool{
		formats.Argine: func(blocklist.Entry) bool { return true },
		formats.RPZ:    func(e blocklist.Entry) bool { return len(e.Key()) < 250 },
		formats.Domains: func(e blocklist.Entry) bool {
			n, _ := e.Name()
			return e.Scope == blocklist.ScopeDomain && n.IsHostname() && n.Labels() > 1
		},
		formats.Adblock: func(e blocklist.Entry) bool {
			n, _ := e.Name()
			p, _ := e.Prefix()
			return e.Scope == blocklist.ScopeDomain && n.IsHostname() && n.Labels() > 1 || p.IsSingleIP()
		},
		formats.CSV: func(e blocklist.Entry) bool {
			n, ok := e.Name()
			return !ok || n.IsHostname() && n.Labels() > 1
		},
		formats.Hosts: func(e blocklist.Entry) bool {
			n, _ := e.Name()
			return e.Scope == blocklist.ScopeHost && n.IsHostname()
		},
		formats.Dnsmasq: func(e blocklist.Entry) bool {
			n, _ := e.Name()
			return e.Scope == blocklist.ScopeDomain && n.IsHostname()
		},
		formats.Unbound: func(e blocklist.Entry) bool { n, ok := e.Name(); return ok && n.IsHostname() },
	} {
		t.Run(string(f), func(t *testing.T) {
			want := map[string]bool{}
			for e, err := range entriesOf(t, text+tooLong+fits) {
				require.NoError(t, err)
				if keep(e) {
					want[e.Target()] = true
				}
			}
			var out bytes.Buffer
			written, err := formats.Write(&out, f, entriesOf(t, text+tooLong+fits), formats.WriteOptions{SkipUnsupported: true})
			require.NoError(t, err)
			assert.Equal(t, len(want), written.Entries)
			r, err := formats.NewReader(&out, formats.Options{})
			require.NoError(t, err)
			assert.Equal(t, f, r.Format())
			assert.Equal(t, want, set(t, r.Entries()))
			assert.Empty(t, r.Report().Skipped)
		})
	}
}

func TestRPZBeginning(t *testing.T) {
	var out bytes.Buffer
	_, err := formats.Write(&out, formats.RPZ, entriesOf(t, "a.test\n"), formats.WriteOptions{Zone: "Block.Example.", Serial: 41})
	require.NoError(t, err)
	assert.Equal(t, "$TTL 300\n$ORIGIN block.example.\n@ SOA localhost. nobody.invalid. 41 3600 600 604800 60\n@ NS localhost.\na.test CNAME .\n*.a.test CNAME .\n", out.String())
}

// A resolver takes *.a.test to cover nothing below b.a.test if the zone has b.a.test or anything below that.
func TestRPZKeepsDomainsWhole(t *testing.T) {
	var out bytes.Buffer
	text := "=www.a.test\nx.b.a.test\na.test\n=c.a.test\n=d.test\nbelow.d.test\n"
	written, err := formats.Write(&out, formats.RPZ, entriesOf(t, text), formats.WriteOptions{})
	require.NoError(t, err)
	assert.Equal(t, 6, written.Entries)
	_, records, _ := strings.Cut(out.String(), "@ NS localhost.\n")
	assert.Equal(t, "a.test CNAME .\n*.a.test CNAME .\nd.test CNAME .\nbelow.d.test CNAME .\n*.below.d.test CNAME .\n", records)
}

// The programs that the files are for accept them.
func TestPrograms(t *testing.T) {
	for _, tt := range []struct {
		format formats.Format
		before string // in front of the file
		argv   []string
	}{
		{formats.RPZ, "", []string{"nsd-checkzone", "rpz", "FILE"}},
		{formats.RPZ, "", []string{"named-checkzone", "-k", "fail", "rpz", "FILE"}},
		{formats.Unbound, "", []string{"unbound-checkconf", "FILE"}},
		{formats.Dnsmasq, "", []string{"dnsmasq", "--test", "-C", "FILE"}},
		{formats.Nftables, "", []string{"nft", "-c", "-f", "FILE"}},
		{formats.BIRD, "router id 192.0.2.1;\nprotocol device {}\n", []string{"bird", "-p", "-c", "FILE"}},
	} {
		t.Run(tt.argv[0], func(t *testing.T) {
			program, err := exec.LookPath(tt.argv[0])
			if err != nil {
				t.Skipf("%s is not installed", tt.argv[0])
			}
			file := filepath.Join(t.TempDir(), "list")
			var out bytes.Buffer
			_, err = formats.Write(&out, tt.format, entriesOf(t, everything), formats.WriteOptions{SkipUnsupported: true, Now: now})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, append([]byte(tt.before), out.Bytes()...), 0o644))
			argv := strings.Split(strings.ReplaceAll(strings.Join(tt.argv[1:], "\n"), "FILE", file), "\n")
			said, err := exec.CommandContext(t.Context(), program, argv...).CombinedOutput()
			if bytes.Contains(said, []byte("Operation not permitted")) {
				t.Skipf("%s needs rights that this user has not", tt.argv[0])
			}
			assert.NoError(t, err, "%s", said)
		})
	}
}

// What is listed through one format and read back in another is never more than what was listed.
func TestNeverWidened(t *testing.T) {
	want := set(t, entriesOf(t, everything))
	for _, f := range formats.Readable() {
		if !slices.Contains(formats.Writable(), f) {
			continue
		}
		var out bytes.Buffer
		_, err := formats.Write(&out, f, entriesOf(t, everything), formats.WriteOptions{SkipUnsupported: true, Now: now})
		require.NoError(t, err)
		r, err := formats.NewReader(&out, formats.Options{Format: f})
		require.NoError(t, err)
		for target := range maps.Keys(set(t, r.Entries())) {
			assert.True(t, want[target], "%s: %s", f, target)
		}
	}
}
