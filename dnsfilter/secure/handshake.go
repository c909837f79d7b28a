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
	// maxUnverified is the number of handshakes that may begin in a second or be open at once, before the addresses of
	// further clients must be verified.
	maxUnverified = 500
	maxHandshakes = 4000 // maximum number of open handshakes, for all clients together
	maxOfClient   = 50   // maximum number of open handshakes, for one client (an IPv4 address or an IPv6 /56 network)
)

var errHandshakes = errors.New("too many handshakes are under way")

// handshakes counts and limits the handshakes that are open on a socket.
type handshakes struct {
	mu     sync.Mutex
	second int64
	begun  int // number of handshakes begun in the present second
	open   int
	of     map[netip.Prefix]int // number of open handshakes by client, for verified addresses
}

// mustVerify counts a new handshake. It reports whether the address of its client must be verified first (RFC 9000,
// section 8.1.2), since many handshakes are open or have just begun.
func (h *handshakes) mustVerify(net.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now().Unix(); now != h.second {
		h.second, h.begun = now, 0
	}
	h.begun++
	return h.begun > maxUnverified || h.open >= maxUnverified
}

// handshakeKey is the context key of a function that counts the handshake of a connection as ended.
type handshakeKey struct{}

// begin counts a handshake as open. It returns errHandshakes if a limit is reached. The handshake ends with ctx, or
// when complete is called.
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

// complete counts the handshake of a connection as ended.
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
