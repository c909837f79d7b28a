package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// bundle lists a name and writes the release to a file.
func (a *agency) bundle(t *testing.T, name string) string {
	t.Helper()
	a.publish(t, name)
	path := filepath.Join(t.TempDir(), "release.tar")
	_, err := a.ledger.Bundle(t.Context(), func(_ context.Context, _ string, bundle io.Reader) error {
		b, err := io.ReadAll(bundle)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		return err
	}, publish.Audit{Author: "anna", Reason: "a test"})
	require.NoError(t, err)
	return path
}

// A release comes on a stick, while no service runs and while one does; guards and signatures count as ever.
func TestApplyBundle(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	r := newFolder(t, fmt.Sprintf("guard: {protected: [protected.txt]}\nlists:\n  - {name: it.example/test, root: %s, from: ['http://127.0.0.1:1']}\n", a.root()))
	r.write(t, "protected.txt", "bank.test\n")
	log := slog.New(slog.DiscardHandler)
	apply := func(path string) (service.ApplyResult, error) {
		t.Helper()
		s, err := r.read()
		require.NoError(t, err)
		return service.ApplyBundle(t.Context(), s, path, log)
	}
	first := a.bundle(t, "bad.test")
	got, err := apply(first)
	require.NoError(t, err)
	assert.Equal(t, service.ApplyResult{List: "it.example/test", Changed: true, Serial: 1, Entries: 1}, got)
	got, err = apply(first)
	require.NoError(t, err)
	assert.False(t, got.Changed)

	r.start(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "bad.test."))
	got, err = apply(a.bundle(t, "worse.test"))
	require.NoError(t, err)
	assert.Equal(t, service.ApplyResult{List: "it.example/test", Changed: true, Serial: 2, Entries: 2}, got)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "worse.test."))
	_, err = apply(first)
	assert.ErrorContains(t, err, blocklist.ErrRollback.Error())

	got, err = apply(a.bundle(t, "www.bank.test"))
	require.NoError(t, err)
	require.NotNil(t, got.Hold)
	assert.Equal(t, []any{uint64(3), uint64(2), false}, []any{got.Hold.Serial, got.Serial, got.Changed})
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "www.bank.test."))
	require.NoError(t, service.NewControl(filepath.Join(r.dir, "state")).Accept(t.Context(), got.List, got.Hold.ID))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "www.bank.test."))

	whole, err := os.ReadFile(a.bundle(t, "other.test"))
	require.NoError(t, err)
	for name, b := range map[string][]byte{"nothing": nil, "cut": whole[:len(whole)*2/3+100], "no bundle": []byte("example.org\n")} {
		r.write(t, "bad.tar", string(b))
		_, err := apply(filepath.Join(r.dir, "bad.tar"))
		assert.Error(t, err, name)
	}
	_, err = apply(newAgency(t).bundle(t, "other.test"))
	assert.ErrorContains(t, err, blocklist.ErrSignatures.Error(), "another agency's list of that name")
	_, err = apply(r.dir)
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.NoFileExists(t, filepath.Join(r.dir, "state", "apply.tar"))
	require.NoError(t, r.stop())
	r.settings(t, "")
	_, err = apply(first)
	assert.ErrorContains(t, err, `no signed list "it.example/test" is followed`)
}
