package service_test

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func TestDivertInSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dnstest.WriteFile(t, dir, "urls.txt", "https://site.example/a\nhost.example\n")
	s, err := config.Read(dnstest.WriteFile(t, dir, "dnsfilter.yaml", `
state: state
lists:
  - {name: urls, file: urls.txt, divert: [192.0.2.90, "2001:db8::90"]}
clients: [192.0.2.0/24]
views:
  - {clients: [192.0.2.8], actions: {urls: monitor}}
  - {clients: [192.0.2.9], actions: {urls: nodata}}
`))
	require.NoError(t, err)
	for client, want := range map[string]string{"192.0.2.1": "urls", "192.0.2.8": "", "192.0.2.9": "urls"} {
		e, err := service.Explain(s, "site.example", netip.MustParseAddr(client), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		assert.Equal(t, want, e.Divert, client)
		assert.Equal(t, dnsfilter.Pass, e.Action)
	}
	e, err := service.Explain(s, "host.example", netip.Addr{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Empty(t, e.Divert, "it is blocked")
	_, err = config.Read(dnstest.WriteFile(t, dir, "bad.yaml", "lists:\n  - {name: a, file: a, divert: []}\n  - {name: b, file: b, action: divert, divert: [proxy]}\n"))
	assert.ErrorContains(t, err, "bad.yaml:2:6: divert names no address of a proxy")
	assert.ErrorContains(t, err, `bad.yaml:3:32: unknown action "divert"`)
	assert.ErrorContains(t, err, `bad.yaml:3:49: "proxy" is no IP address`)
}
