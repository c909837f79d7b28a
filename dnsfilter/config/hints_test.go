package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

func TestHints(t *testing.T) {
	t.Parallel()
	s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", `
listen: [udp://127.0.0.1:5300, udp://127.0.0.1:5301, tcp://127.0.0.1:5301]
structured_errors: 65001
lists:
  - {name: a, file: a, ede: none, notice: {authority: The authority}}
  - {name: b, file: b}
  - {name: c, file: c}
quorum: [{lists: [a, b, c], at_least: 2}]
views: [{clients: [127.0.0.1], lists: [a]}, {clients: [127.0.0.2], lists: [a, c]}]
`))
	require.NoError(t, err)
	hints := s.Hints()
	require.Len(t, hints, 4, hints)
	assert.Contains(t, hints[0], "listen has udp://127.0.0.1:5300 and not tcp://127.0.0.1:5300")
	assert.Contains(t, hints[1], "the notice of a is not sent")
	assert.Contains(t, hints[2], "no notice has a contact")
	assert.Contains(t, hints[3], "quorum/1 can't be reached for 127.0.0.1/32: the view has 1 of its lists, and 2 must agree")
	assert.Empty(t, config.Default().Hints())

	s, err = config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", "stop_page: http://192.0.2.80:80\nlists: [{name: a, file: a}]\n"))
	require.NoError(t, err)
	require.Len(t, s.Hints(), 1)
	assert.Contains(t, s.Hints()[0], "no list leads to it")
	dir := t.TempDir()
	s, err = config.Read(writeFile(t, dir, "dnsfilter.yaml", "lists: [{name: a/b, root: root.json, from: [origin.example, https://origin.example, .]}]\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{"list a/b can't come from " + dir + "/origin.example yet: there is no such folder; a URL begins with https://"}, s.Hints())
	s, err = config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", "stop_page: http://192.0.2.80:80\nlists: [{name: a, file: a, action: sinkhole, sinkhole: [192.0.2.80]}]\n"))
	require.NoError(t, err)
	require.Len(t, s.Hints(), 1)
	assert.Contains(t, s.Hints()[0], "can't say who is behind a")
}
