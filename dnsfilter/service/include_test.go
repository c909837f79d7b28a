package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServiceFollowsIncludedFiles(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "include: [conf.d/*.yaml]\n")
	require.NoError(t, os.Mkdir(filepath.Join(r.dir, "conf.d"), 0o700))
	r.write(t, "a.txt", "a.test\n")
	r.start(t)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))
	r.write(t, "conf.d/1.yaml", "lists:\n  - {name: a, file: a.txt}\n")
	r.becomes(t, "a.test.", dns.RcodeNameError)
	r.write(t, "conf.d/1.yaml", "lists:\n  - {name: a, file: a.txt, action: refused}\n")
	r.becomes(t, "a.test.", dns.RcodeRefused)

	r.write(t, "conf.d/2.yaml", "lists: [a, b\n")
	refused := func(text string) func() bool { return func() bool { return strings.Count(r.log.String(), text) == 1 } }
	require.Eventually(t, refused("conf.d/2.yaml:1:8"), time.Minute, 10*time.Millisecond, r.log)
	time.Sleep(500 * time.Millisecond)
	assert.True(t, refused("conf.d/2.yaml:1:8")(), "it is read once: %s", r.log)
	require.NoError(t, os.Remove(filepath.Join(r.dir, "conf.d", "2.yaml")))

	require.NoError(t, os.Remove(filepath.Join(r.dir, "conf.d", "1.yaml"))) // takes a list away
	require.Eventually(t, refused("take something away and are not obeyed"), time.Minute, 10*time.Millisecond, r.log)
	assert.Equal(t, dns.RcodeRefused, r.rcode(t, "a.test."))
	r.reload <- struct{}{}
	r.becomes(t, "a.test.", dns.RcodeSuccess)
}
