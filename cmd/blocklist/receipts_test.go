package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/receipt"
)

// A time to enforcement that is not known is said so, not shown as none at all.
func TestTimeNotKnown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := receipt.Standing{Subscriber: "isp.example", State: receipt.Enforces, Serial: 4, Enforced: at, Took: -1}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: io.Discard}
	require.NoError(t, a.printStandings(receipt.Release{Serial: 4, Published: at.Add(time.Hour)}, []receipt.Standing{s}, receiptsFlags{}))
	assert.Regexp(t, `isp\.example +enforces +4 +2026-11-22T08:00:00Z +not known`, out.String())
	assert.Nil(t, standingToJSON(s).Seconds)
	s.Took = 0
	require.NotNil(t, standingToJSON(s).Seconds)
	assert.Zero(t, *standingToJSON(s).Seconds)
}
