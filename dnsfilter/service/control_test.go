package service_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// A release that touches a protected name goes from a real agency over a real origin to a running service, is held
// there, outlasts a restart, and is put in force by the one who may open the socket.
func TestServiceHolds(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close) // after the service has ended, which listens for announcements
	lists := fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s']}\n", a.root(), web.URL)
	r := newFolder(t, "guard: {max_growth: 50%, max_shrink: 0.5, protected: [protected.txt], popular: [popular.txt]}\n"+lists)
	r.write(t, "protected.txt", "bank.test\n")
	r.write(t, "popular.txt", "1,video.test\n")
	s, err := r.read()
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())
	control := service.NewControl(filepath.Join(r.dir, "state"))
	_, err = control.Status(t.Context())
	require.ErrorIs(t, err, service.ErrNotRunning)

	a.publish(t, "bad.test")
	r.start(t)
	r.becomes(t, "bad.test.", dns.RcodeNameError)
	info, err := os.Stat(filepath.Join(r.dir, "state", "control.sock"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	a.publish(t, "www.bank.test")
	refollow := func() { // a poll without waiting for the next
		r.settings(t, "")
		r.reload <- struct{}{}
		r.settings(t, "guard: {protected: [protected.txt]}\n"+lists)
		r.reload <- struct{}{}
	}
	refollow()
	var st service.ListStatus
	held := func() bool {
		all, err := control.Status(t.Context())
		require.NoError(t, err)
		if len(all.Lists) == 1 {
			st = all.Lists[0]
		}
		return st.Hold != nil
	}
	require.Eventually(t, held, time.Minute, 20*time.Millisecond, r.log)
	assert.Equal(t, []any{uint64(2), uint64(1)}, []any{st.Hold.Serial, st.Serial})
	assert.Equal(t, map[guard.Check]uint64{guard.CheckProtect: 1}, st.Hold.Report.Counts)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "www.bank.test."))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "bad.test."))

	require.NoError(t, r.stop())
	r.log = &logtest.Buffer{}
	r.start(t)
	require.True(t, held())
	assert.ErrorContains(t, control.Accept(t.Context(), "it.example/other", st.Hold.ID), "is followed")
	assert.ErrorContains(t, control.Accept(t.Context(), st.List, "another"), "nothing is on hold with this ID")
	require.NoError(t, control.Reject(t.Context(), st.List, st.Hold.ID))
	require.True(t, held())
	assert.True(t, st.Hold.Rejected)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "www.bank.test."))
	require.NoError(t, control.Accept(t.Context(), st.List, st.Hold.ID))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "www.bank.test."))
	assert.Contains(t, r.log.String(), "a release on hold was accepted")
	assert.NotContains(t, r.log.String(), "bank.test")
}

// A changed file of the guards counts at once, and may let pass what was held.
func TestServiceReadsChangedGuards(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close) // after the service has ended, which listens for announcements
	a.publish(t, "bank.test")
	r := newFolder(t, fmt.Sprintf("guard: {protected: [protected.txt]}\nlists:\n  - {name: it.example/test, root: %s, from: ['%s']}\n", a.root(), web.URL))
	r.write(t, "protected.txt", "bank.test\n")
	r.start(t)
	control := service.NewControl(filepath.Join(r.dir, "state"))
	require.Eventually(t, func() bool {
		s, err := control.Status(t.Context())
		return assert.NoError(t, err) && s.Lists[0].Hold != nil
	}, time.Minute, 20*time.Millisecond, r.log)
	r.write(t, "protected.txt", "https://no.name.test/\n")
	require.Eventually(t, func() bool {
		return strings.Contains(r.log.String(), "protected.txt: reading the protected names: line 1: ")
	}, time.Minute, 50*time.Millisecond)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "bank.test."))
	r.write(t, "protected.txt", "other.test\n")
	r.becomes(t, "bank.test.", dns.RcodeNameError)
}

func TestCheckFilesOfGuards(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dnstest.WriteFile(t, dir, "protected.txt", "bank.test\n\nhttps://a.test/b\n")
	path := dnstest.WriteFile(t, dir, "dnsfilter.yaml", "guard:\n  protected: [protected.txt]\n  popular: [none.txt]\n")
	s, err := config.Read(path)
	require.NoError(t, err)
	mistakes, ok := errors.AsType[config.Errors](s.CheckFiles())
	require.True(t, ok)
	require.Len(t, mistakes, 2)
	assert.Contains(t, mistakes[0].Error(), path+":2:15: "+filepath.Join(dir, "protected.txt")+": reading the protected names: line 3: ")
	assert.Contains(t, mistakes[1].Error(), path+":3:13: ")
}
