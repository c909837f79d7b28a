package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// TestZoneFileThatChanges: what was read from a file that changed meanwhile does not count.
func TestZoneFileThatChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "zone.db")
	text := "@ SOA localhost. nobody.invalid. 1 60 60 60 60\n" + strings.Repeat("a.test CNAME .\n", 5000)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if !assert.NoError(t, err) {
			return
		}
		defer f.Close()
		for range 10_000 {
			select {
			case <-done:
				return
			default:
				_, err := f.WriteString("b.test CNAME .\n")
				assert.NoError(t, err)
			}
		}
	}()
	zone := dnsfilter.NewPolicyZone("\x04feed\x07example\x00")
	var err error
	for try := 0; try < 100 && err == nil; try++ { // it may not run while the file is read
		_, _, err = guards{}.readZone(config.LocalFile{Path: path}, zone, zone, zoneState{})
	}
	close(done)
	<-ended
	assert.ErrorIs(t, err, errChanging)
}
