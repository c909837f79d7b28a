package rpz_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/testdata/freeport"
)

const keyText = "key \"transfer.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=\";\n};\n"

// lists are the lists of a zone, and the store that has them.
type lists struct {
	store *blocklist.Store
	mu    sync.Mutex // guards lines
	lines map[string][]string
	// what lists had, by version
	before map[string][]string
	rules  []dnsfilter.Rule
	allow  []string
}

func newLists(t testing.TB) *lists {
	t.Helper()
	return &lists{store: blocktest.NewStore(t), lines: map[string][]string{}, before: map[string][]string{}}
}

// set sets the lines of a list.
func (l *lists) set(t testing.TB, list string, lines ...string) {
	t.Helper()
	l.mu.Lock()
	l.lines[list] = lines
	l.mu.Unlock()
	blocktest.SetList(t, l.store, list, lines...)
}

// of returns the lines of a list.
func (l *lists) of(list string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[list]
}

// changes returns the changes of a list since an earlier version. Half of the lists do not know them.
func (l *lists) changes(t testing.TB, since, list string) (iter.Seq2[blocklist.Change, error], bool) {
	var all []blocklist.Change
	now := l.of(list)
	l.mu.Lock()
	old, ok := l.before[since]
	l.mu.Unlock()
	for i, lines := range [][]string{old, now} {
		for _, line := range lines {
			if other := [][]string{now, old}[i]; slices.Contains(other, line) {
				continue
			}
			e, err := blocklist.ParseEntry(line)
			require.NoError(t, err)
			all = append(all, blocklist.Change{Removed: i == 0, Entry: e})
		}
	}
	slices.SortStableFunc(all, func(a, b blocklist.Change) int { return strings.Compare(a.Entry.Target(), b.Entry.Target()) })
	return func(yield func(blocklist.Change, error) bool) {
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}, ok && len(list)%2 == 1
}

func (l *lists) policy() dnsfilter.Policy { return dnsfilter.Policy{Allow: l.allow, Rules: l.rules} }

// sources returns the sources of a zone of all lists.
func (l *lists) sources(t testing.TB) (all []rpz.Source) {
	rules := l.rules
	for i := range l.allow {
		rules = append([]dnsfilter.Rule{{List: l.allow[len(l.allow)-1-i]}}, rules...)
	}
	for i, r := range rules {
		all = append(all, rpz.Source{
			Rule: r, Allow: i < len(l.allow),
			Version: func() (string, error) {
				info, ok := l.store.List(r.List)
				if !ok {
					return "", fmt.Errorf("there is no list %s", r.List)
				}
				lines := l.of(r.List)
				version := fmt.Sprint(info.Created, lines)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.before[version] = lines
				return version, nil
			},
			Changes: func(since string) (iter.Seq2[blocklist.Change, error], bool) { return l.changes(t, since, r.List) },
			Entries: func() iter.Seq2[blocklist.Entry, error] { return blocktest.Entries(strings.Join(l.of(r.List), "\n")) },
		})
	}
	return all
}

// served is a zone that a server serves.
type served struct {
	*rpz.Zone
	t      *testing.T
	lists  *lists
	config rpz.Config
	addr   string
	log    *logtest.Buffer
	stop   func()
}

const zoneName = "block.rpz.example."

// start serves a zone of the lists. The config may lack name, sources, log and who is allowed.
func (l *lists) start(t *testing.T, dir string, c rpz.Config) *served {
	t.Helper()
	s := &served{t: t, lists: l, config: c, log: &logtest.Buffer{}}
	s.config.Name, _ = blocklist.ParseName(zoneName)
	s.config.Sources = l.sources(t)
	s.config.Log = slog.New(slog.NewTextHandler(s.log, nil))
	if s.config.Allow == nil {
		s.config.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	var err error
	s.Zone, err = rpz.Open(dir, s.config)
	require.NoError(t, err)
	server, err := dnsfilter.New(dnsfilter.Config{
		Store: l.store, Policy: l.policy(), Upstream: refusing{}, Primary: map[blocklist.Name]dnsfilter.PrimaryZone{s.config.Name: s.Zone},
	})
	require.NoError(t, err)
	s.addr = freeport.Addr(t)
	listeners, err := dnsfilter.Listen(t.Context(), "udp://"+s.addr, "tcp://"+s.addr)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{}, 2)
	go func() { _ = server.Serve(ctx, listeners); done <- struct{}{} }()
	go func() { s.Run(ctx, l.store.Changed); done <- struct{}{} }()
	s.stop = func() {
		cancel()
		<-done
		<-done
		done <- struct{}{}
		done <- struct{}{}
	}
	t.Cleanup(s.stop)
	require.Eventually(t, func() bool { return s.Status().Serial > 0 }, 10*time.Second, time.Millisecond, s.log)
	return s
}

// refusing is an upstream that knows nothing.
type refusing struct{}

func (refusing) Exchange(_ context.Context, query *dns.Msg) (*dns.Msg, error) {
	return new(dns.Msg).SetRcode(query, dns.RcodeRefused), nil
}

// transfer asks for the zone and returns the records. A serial of 0 asks for all of it.
func (s *served) transfer(serial uint32, sign bool) ([]dns.RR, error) {
	m := new(dns.Msg).SetAxfr(zoneName)
	if serial > 0 {
		m.SetIxfr(zoneName, serial, ".", ".")
	}
	tr := &dns.Transfer{}
	if sign {
		tr.TsigSecret = map[string]string{"transfer.example.": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="}
		m.SetTsig("transfer.example.", dns.HmacSHA256, 300, time.Now().Unix())
	}
	envelopes, err := tr.In(m, s.addr)
	if err != nil {
		return nil, err
	}
	var all []dns.RR
	for e := range envelopes {
		if e.Error != nil {
			return all, e.Error
		}
		all = append(all, e.RR...)
	}
	return all, nil
}

// texts returns records without TTL and zone, SOA and NS records left out.
func texts(records []dns.RR) (all []string) {
	for _, rr := range records {
		switch rr.Header().Rrtype {
		case dns.TypeSOA, dns.TypeNS:
			continue
		}
		f := strings.Fields(rr.String())
		all = append(all, strings.TrimSuffix(f[0], "."+zoneName)+" "+strings.Join(f[3:], " "))
	}
	return all
}

// awaitSerial waits for another serial.
func (s *served) awaitSerial(before uint32) uint32 {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.Status().Serial != before }, 10*time.Second, time.Millisecond, s.log)
	return s.Status().Serial
}

// awaitLists waits until the zone has the current entries of all lists.
func (s *served) awaitLists() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.IsCurrent() }, 10*time.Second, time.Millisecond, s.log)
}

// zone returns the records of the zone as texts.
func (s *served) zone() []string {
	s.t.Helper()
	all, err := s.transfer(0, len(s.config.Keys) > 0)
	require.NoError(s.t, err)
	assert.Equal(s.t, dns.TypeSOA, all[0].Header().Rrtype)
	assert.Equal(s.t, all[0].String(), all[len(all)-1].String())
	assert.Equal(s.t, dns.TypeNS, all[1].Header().Rrtype)
	return texts(all)
}
