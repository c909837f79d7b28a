package service_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// TestServiceConfirms follows a list whose releases are confirmed to its origin, by questions to the service itself.
func TestServiceConfirms(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	web := httptest.NewServer(a.origin.Handler())
	t.Cleanup(web.Close) // behind the service, which listens to its announcements
	line := func(key, action string) string {
		return fmt.Sprintf("lists:\n  - {name: it.example/test, root: %s, from: ['%s'], action: %s, receipts: %s}\n", a.root(), web.URL, action, key)
	}
	r := newFolder(t, line("isp.key", "monitor"))
	s, err := r.read()
	require.NoError(t, err)
	assert.ErrorContains(t, s.CheckFiles(), "receipt key")
	public, err := keys.Generate(filepath.Join(r.dir, "isp.key"), filepath.Join(r.dir, "isp.pub"), "isp", "")
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())
	_, err = a.origin.AddSubscriber(t.Context(), "it.example/test", public)
	require.NoError(t, err)
	keys, err := receipt.ParseKeys(public)
	require.NoError(t, err)
	taken := func() (all []receipt.Receipt) {
		var b bytes.Buffer
		require.NoError(t, a.origin.WriteReceipts("it.example/test", &b))
		for one, err := range receipt.Split(&b) {
			require.NoError(t, err)
			got, _, err := receipt.Open(one, keys)
			require.NoError(t, err)
			all = append(all, got)
		}
		return all
	}
	status := func() service.ReceiptStatus {
		st, err := service.NewControl(filepath.Join(r.dir, "state")).Status(t.Context())
		require.NoError(t, err)
		if got := st.Lists[0].Receipts; got != nil {
			return *got
		}
		return service.ReceiptStatus{} // the list is not followed yet
	}

	a.publish(t, "bad.example")
	r.start(t)
	require.Eventually(t, func() bool { return status().Error != "" }, time.Minute, 20*time.Millisecond)
	assert.Contains(t, status().Error, "its action is monitor")
	assert.Empty(t, taken(), "what is only monitored is not confirmed")

	r.settings(t, line("isp.key", "nodata"))
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return len(taken()) == 1 }, 30*time.Second, 20*time.Millisecond, r.log)
	got := taken()[0]
	assert.Equal(t, uint64(1), got.Serial)
	assert.Equal(t, receipt.Asked{Test: 2, Gone: 2, Added: 1}, got.Asked, "both listeners, and the sample")
	require.Eventually(t, func() bool { s := status(); return s.Waiting == 0 && s.Serial == 1 && s.Error == "" }, time.Minute, 20*time.Millisecond)

	r.settings(t, line("missing.key", "nodata"))
	r.reload <- struct{}{} // the list is enforced all the same
	require.Eventually(t, func() bool { return status().Error != "" }, time.Minute, 20*time.Millisecond)
	assert.Contains(t, status().Error, "missing.key")
	assert.NotContains(t, r.log.String(), "bad.example")
}
