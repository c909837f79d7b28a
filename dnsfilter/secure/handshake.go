package secure

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Limits of QUIC handshakes. They apply before a client is admitted.
const (
	handshakeTimeout = 5 * time.Second
	maxUnverified    = 500  // from addresses that may be forged: begun in a second, and also open at once
	maxHandshakes    = 4000 // of all clients, open at once
	maxOfClient      = 50   // of one client (an IPv4 address or an IPv6 /56 network), open at once
)

var errHandshakes = errors.New("too many handshakes are under way")

// handshakes limits the handshakes that are under way on a socket.
type handshakes struct {
	mu     sync.Mutex
	second int64
	begun  int // in this second
	open   int
	of     map[netip.Prefix]int // open ones of verified clients
}

// mustVerify reports whether the address of a client has to be verified before its handshake begins (RFC 9000, section
// 8.1.2), since many handshakes are open or have just begun.
func (h *handshakes) mustVerify(net.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now().Unix(); now != h.second {
		h.second, h.begun = now, 0
	}
	h.begun++
	return h.begun > maxUnverified || h.open >= maxUnverified
}

// handshakeKey is the context key of the function that ends the handshake of a connection.
type handshakeKey struct{}

// begin counts a handshake that begins. It fails if there is no room.
func (h *handshakes) begin(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	var client netip.Prefix
	if info.AddrVerified {
		client = networkOf(info.RemoteAddr)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open >= maxHandshakes || client.IsValid() && h.of[client] >= maxOfClient {
		return nil, errHandshakes
	}
	if h.of == nil {
		h.of = make(map[netip.Prefix]int)
	}
	h.open++
	h.of[client]++
	end := sync.OnceFunc(func() { h.end(client) })
	context.AfterFunc(ctx, end)
	return context.WithValue(ctx, handshakeKey{}, end), nil
}

func (h *handshakes) end(client netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	if h.of[client]--; h.of[client] == 0 {
		delete(h.of, client)
	}
}

// complete ends the handshake of a connection.
func (h *handshakes) complete(conn *quic.Conn) {
	if end, ok := conn.Context().Value(handshakeKey{}).(func()); ok {
		end()
	}
}

func networkOf(client net.Addr) netip.Prefix {
	at, _ := netip.ParseAddrPort(client.String())
	addr := at.Addr().Unmap()
	bits := 32
	if addr.Is6() {
		bits = 56
	}
	network, _ := addr.Prefix(bits)
	return network
}
