package service_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// agency is a list with one officer, and the origin that serves it.
type agency struct {
	dir    string
	ledger *publish.Ledger
	origin *origin.Origin
}

func newAgency(t *testing.T) *agency {
	t.Helper()
	return newAgencyOf(t, false)
}

// newAgencyOf makes the agency of a list that is confidential or not.
func newAgencyOf(t *testing.T, confidential bool) *agency {
	t.Helper()
	a := &agency{dir: t.TempDir()}
	online, err := origin.Init(filepath.Join(a.dir, "origin"))
	require.NoError(t, err)
	officer, err := keys.Generate(filepath.Join(a.dir, "anna.key"), filepath.Join(a.dir, "anna.pub"), "anna", "")
	require.NoError(t, err)
	require.NoError(t, publish.Init(t.Context(), filepath.Join(a.dir, "list"), publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: []string{officer}, Threshold: 1, Author: "anna", Confidential: confidential,
	}))
	a.ledger, err = publish.Open(filepath.Join(a.dir, "list"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.ledger.Close()) })
	a.sign(t)
	a.origin, err = origin.Open(filepath.Join(a.dir, "origin"), origin.Options{})
	require.NoError(t, err)
	root, err := os.ReadFile(a.root())
	require.NoError(t, err)
	_, err = a.origin.Trust(root)
	require.NoError(t, err)
	return a
}

func (a *agency) root() string { return filepath.Join(a.dir, "list", "root.json") }

func (a *agency) sign(t *testing.T) {
	t.Helper()
	key, err := keys.Load(filepath.Join(a.dir, "anna.key"), func() (string, error) { return "", nil })
	require.NoError(t, err)
	p, err := a.ledger.Pending()
	require.NoError(t, err)
	_, err = a.ledger.Sign(t.Context(), p, key)
	require.NoError(t, err)
}

// publish lists a name and brings the release to the origin.
func (a *agency) publish(t *testing.T, name string) {
	t.Helper()
	e, err := blocklist.ParseEntry(name)
	require.NoError(t, err)
	cause := publish.Audit{Author: "anna", Reason: "a test"}
	_, err = a.ledger.Add(t.Context(), []blocklist.Entry{e}, cause)
	require.NoError(t, err)
	_, _, err = a.ledger.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t)
	_, err = a.ledger.Push(t.Context(), func(ctx context.Context, _ string, bundle io.Reader) error {
		_, err := a.origin.Accept(ctx, bundle)
		return err
	}, cause)
	require.NoError(t, err)
}

func TestServiceFollowsSignedLists(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	defer web.Close()
	lists := fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s'], action: nodata}\n", a.root(), web.URL)
	r := newFolder(t, lists)
	s, err := r.read()
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())

	r.start(t) // nothing is published yet: the rest is answered
	assert.Contains(t, r.log.String(), "list is not enforced yet")
	m := dnstest.Question("bad.test.", dns.TypeA).SetEdns0(1232, false)
	assert.Len(t, dnstest.Exchange(t, "udp", r.addr, m).Answer, 1)

	a.publish(t, "bad.test")
	r.settings(t, lists+"allow: []\n")
	r.reload <- struct{}{} // a list that is followed as before goes on
	r.settings(t, "")
	r.reload <- struct{}{}
	r.settings(t, lists)
	r.reload <- struct{}{} // and one that is new is fetched at once
	require.Eventually(t, func() bool {
		return slices.Contains(dnstest.EDEs(dnstest.Exchange(t, "udp", r.addr, m)), dns.ExtendedErrorCodeCensored)
	},
		time.Minute, 20*time.Millisecond, r.log)
	assert.Empty(t, dnstest.Exchange(t, "udp", r.addr, m).Answer)

	require.NoError(t, r.stop())
	web.Close()
	r.log = &logtest.Buffer{}
	r.start(t) // without an origin what is held is enforced at once
	assert.Empty(t, dnstest.Exchange(t, "udp", r.addr, m).Answer)
	require.NoError(t, r.stop())

	require.NoError(t, os.Remove(a.root()))
	r.log = &logtest.Buffer{}
	r.start(t) // and even without a root
	assert.Contains(t, r.log.String(), "list is not followed")
	assert.Empty(t, dnstest.Exchange(t, "udp", r.addr, m).Answer)
}

func TestServiceOpensConfidentialLists(t *testing.T) {
	t.Parallel()
	a := newAgencyOf(t, true)
	identity := filepath.Join(a.dir, "isp.age")
	recipient, err := keys.GenerateIdentity(identity, filepath.Join(a.dir, "isp.pub"), "x25519")
	require.NoError(t, err)
	require.NoError(t, a.ledger.AddSubscriber(t.Context(), "isp", recipient, publish.Audit{Author: "anna"}))
	a.publish(t, "bad.test")
	list := fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s'], action: nodata", a.root(), filepath.Join(a.dir, "origin"))

	r := newFolder(t, list+"}\n")
	s, err := r.read()
	require.NoError(t, err)
	require.ErrorContains(t, s.CheckFiles(), "name the file with your identity")
	r.settings(t, list+", identity: none.age}\n")
	s, err = r.read()
	require.NoError(t, err)
	require.ErrorContains(t, s.CheckFiles(), "none.age")

	r.settings(t, list+", identity: "+identity+"}\n")
	s, err = r.read()
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())
	r.start(t)
	m := new(dns.Msg)
	m.SetQuestion("www.bad.test.", dns.TypeA)
	m.SetEdns0(1232, false)
	require.Eventually(t, func() bool {
		return slices.Contains(dnstest.EDEs(dnstest.Exchange(t, "udp", r.addr, m)), dns.ExtendedErrorCodeCensored)
	}, time.Minute, 20*time.Millisecond, r.log)
	require.NoError(t, r.stop())
}

func TestServiceRefusesAStrangersRoot(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	r := newFolder(t, fmt.Sprintf("lists:\n  - {name: it.example/other, root: %s, from: ['http://127.0.0.1:1']}\n", a.root()))
	s, err := r.read()
	require.NoError(t, err)
	assert.ErrorContains(t, s.CheckFiles(), `it is of list "it.example/test"`)
	service, err := service.New(r.read, nil)
	require.NoError(t, err)
	assert.ErrorIs(t, service.Run(t.Context(), nil), blocklist.ErrUntrusted)
}
