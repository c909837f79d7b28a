package service_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// TestPolicyZoneMillion: a signed list of a million real names as a policy zone. Each peer in turn copies it, gives the
// verdicts of the resolver for 10,000 real questions, and is sent changes within two seconds of the origin's acceptance.
// How long a resolver then needs to enforce them is logged: each does something with the whole zone.
func TestPolicyZoneMillion(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it starts other programs, each with a million names")
	list, questions := realLines(t, "ARGINE_REAL_LIST"), realLines(t, "ARGINE_REAL_QUERIES")
	a := newAgency(t)
	a.importNames(t, list)
	var some []*dns.Msg // "NAME TYPE", the form of dnsperf
	for scan := bufio.NewScanner(questions); scan.Scan() && len(some) < 10_000; {
		name, qtype, _ := strings.Cut(scan.Text(), " ")
		some = append(some, dnstest.Question(dns.Fqdn(name), dns.StringToType[qtype]))
	}
	for name, p := range secondaries() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one after the other: each needs both processors
			p.need(t)
			f := follow(t, a, p, 5*time.Minute)
			begin := time.Now()
			awaitVerdict(t, f.addr, a.firstName(t), "NXDOMAIN ", 5*time.Minute)
			t.Log("the peer had the zone", time.Since(begin).Round(time.Millisecond), "after it began to answer")
			f.sameVerdicts(t, some, time.Minute)
			longest := f.followsChanges(t, a, 3, 5*time.Minute)
			assert.LessOrEqual(t, longest.served, followWithin)
			if p.notify {
				assert.LessOrEqual(t, longest.sent, followWithin)
			}
		})
	}
}

// realLines opens a file of lines, compressed with gzip, that an environment variable names.
func realLines(t *testing.T, variable string) io.Reader {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skip(variable + " names no file of real lines")
	}
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	return z
}

// importNames lists the names that the guards admit, and brings the release to the origin.
func (a *agency) importNames(t *testing.T, lines io.Reader) {
	t.Helper()
	cause := publish.Audit{Author: "anna", Reason: "a test"}
	result, err := a.ledger.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) {
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			if !yield(blocklist.ParseEntry(scan.Text())) {
				return
			}
		}
	}, cause, nil)
	require.NoError(t, err)
	t.Log(result.Added, "entries; the guards held", result.Refused)
	a.change(t, nil, nil)
}

// firstName returns a name of the list.
func (a *agency) firstName(t *testing.T) string {
	t.Helper()
	for e, err := range a.ledger.Entries(t.Context()) {
		require.NoError(t, err)
		return e.Target() + "."
	}
	return ""
}
