package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/querylog"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := config.Read(writeFile(t, dir, "dnsfilter.yaml", "dnstap: tcp://192.0.2.1:6000\nquery_log: {file: q.log, only: sampled, sample: 1/50, addresses: hashed}\n"))
	require.NoError(t, err)
	assert.Equal(t, "tcp://192.0.2.1:6000", s.Dnstap.String())
	assert.Equal(t, config.QueryLog{File: dir + "/q.log", Sample: 50, Addresses: querylog.Hashed}, s.QueryLog)
	next, err := config.Read(writeFile(t, dir, "next.yaml", "dnstap: unix:///run/s\nquery_log: {file: q.log, only: sampled}\n"))
	require.NoError(t, err)
	assert.Equal(t, 1000, next.QueryLog.Sample)
	assert.Equal(t, []string{"dnstap", "query_log"}, s.Fixed(next))
	for text, want := range map[string]string{
		"dnstap: udp://192.0.2.1:6000\n":                   `1:9: dnstap "udp://192.0.2.1:6000"`,
		"query_log: {only: blocked}\n":                     "1:13: a query log needs file",
		"query_log: {file: q, sample: 1/10}\n":             "1:13: sample is for only: sampled",
		"query_log: {file: q, only: all}\n":                `only "all"`,
		"query_log: {file: q, addresses: full}\n":          `addresses "full"`,
		"query_log: {file: q, only: sampled, sample: 3}\n": `sample "3": write it like 1/1000`,
		"query_log: {file: q, only: sampled, sample: 1/0}": `sample "1/0"`,
	} {
		_, err := config.Read(writeFile(t, dir, "bad.yaml", text))
		assert.ErrorContains(t, err, want)
	}
}
