package origin

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
)

// When there are too many listeners, the client that has most makes room, and no one can keep others out.
func TestListenersOfEachClient(t *testing.T) {
	t.Parallel()
	var a announcements
	one, two := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for range maxListeners {
		_, ok := a.join(one, nil)
		assert.True(t, ok)
	}
	_, ok := a.join(one, nil)
	assert.False(t, ok)
	var last *listener
	for range 100 {
		last, ok = a.join(two, nil)
		assert.True(t, ok)
	}
	assert.Equal(t, map[netip.Prefix]int{one: maxListeners - 100, two: 100}, a.clients)
	assert.Len(t, a.listeners, maxListeners)
	a.leave(last)
	a.leave(last)
	assert.Equal(t, 99, a.clients[two])
	a.end(true)
	assert.Empty(t, a.clients)
}

func TestClientOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:53": "192.0.2.1/32", "[::ffff:192.0.2.1]:53": "192.0.2.1/32", "[2001:db8:1:2ff::3]:53": "2001:db8:1:200::/56",
		"[fe80::1%eth0]:53": "fe80::/56", "@": "invalid Prefix",
	} {
		r := httptest.NewRequest("GET", "/events", nil)
		r.RemoteAddr = remote
		assert.Equal(t, want, clientOf(r).String())
	}
}
