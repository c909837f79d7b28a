package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

func TestSinkholeName(t *testing.T) {
	t.Parallel()
	s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", "lists:\n  - {name: a, file: a, action: sinkhole, sinkhole: [Walled.example.org.]}\n"))
	require.NoError(t, err)
	rule := s.Policy().Rules[0]
	assert.Equal(t, "walled.example.org", rule.SinkholeName.String())
	assert.Empty(t, rule.Sinkhole)
}
