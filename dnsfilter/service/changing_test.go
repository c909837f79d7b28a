package service_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// grow appends lines to a file for a while, as a slow copy does.
func grow(t *testing.T, path, line string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if !assert.NoError(t, err) {
		return
	}
	for n := range 300 {
		_, err := fmt.Fprintf(f, line, n)
		assert.NoError(t, err)
		time.Sleep(time.Millisecond)
	}
	assert.NoError(t, f.Close())
}

// TestStartWhileAListChanges: a file grows while the service starts, which has all of it in the end.
func TestStartWhileAListChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ settings, head, line string }{
		"names": {"lists: [{name: l, file: list.txt}]\n", "", "n%d.test\n"},
		"hosts": {"lists: [{name: l, file: list.txt, format: hosts}]\n", "", "0.0.0.0 n%d.test\n"},
		"zone":  {"lists: [{name: l, rpz: feed.example, file: list.txt}]\n", "@ SOA localhost. nobody.invalid. 1 60 60 60 60\n", "n%d.test CNAME .\n"},
		"allow": {"allow: [list.txt]\n", "", "n%d.test\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFolder(t, c.settings)
			var text strings.Builder
			text.WriteString(c.head)
			for n := range 10_000 {
				fmt.Fprintf(&text, c.line, n+1000)
			}
			r.write(t, "list.txt", text.String())
			grown := make(chan struct{})
			go func() { defer close(grown); grow(t, filepath.Join(r.dir, "list.txt"), c.line) }()
			r.start(t)
			<-grown
			require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "=10300 took") }, time.Minute, 10*time.Millisecond, r.log)
			assert.NotContains(t, r.log.String(), "level=ERROR")
		})
	}
}

// TestSettingsChangeAtTheStart: settings that change right after the service has read them are obeyed.
func TestSettingsChangeAtTheStart(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "")
	r.write(t, "local.txt", "blocked.test\n")
	r.write(t, "allow.txt", "ok.test\n")
	reads := 0
	s, err := service.New(func() (*config.Settings, error) {
		settings, err := r.read()
		if reads++; reads == 2 {
			r.settings(t, oneList)
		}
		return settings, err
	}, slog.New(slog.NewTextHandler(r.log, nil)))
	require.NoError(t, err)
	r.run(t, s)
	r.becomes(t, "blocked.test.", dns.RcodeNameError)
}
