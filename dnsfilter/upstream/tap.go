package upstream

import (
	"net/netip"
	"time"
)

// Message is a query to a resolver, or a reply from it.
type Message struct {
	Resolver  netip.AddrPort
	Stream    bool      // sent over TCP or TLS
	Encrypted bool      // sent over TLS
	Asked     time.Time // when the query was sent
	Answered  time.Time // when the reply arrived; zero: the message is a query
	Packet    []byte    // the message in wire form
}

// Tap sets the function that is called for each query to a resolver, and for each reply that matches a query. With nil,
// none is called. Several goroutines call the function, and hold locks meanwhile. The function must return at once,
// must not call the forwarder, and must not keep the packet.
func (f *Forwarder) Tap(see func(Message)) {
	if see == nil {
		f.tap.Store(nil)
		return
	}
	f.tap.Store(&see)
}

// tapQuery passes a query to the tap, if there is one.
func (f *Forwarder) tapQuery(resolver int, stream bool, packet []byte) {
	if see := f.tap.Load(); see != nil {
		(*see)(f.message(resolver, stream, f.now(), packet))
	}
}

// tapReply passes a reply to the tap, if there is one.
func (f *Forwarder) tapReply(a *attempt, now time.Time, packet []byte) {
	if see := f.tap.Load(); see != nil {
		_, datagram := a.via.(*socket)
		m := f.message(a.resolver, !datagram, a.sent, packet)
		m.Answered = now
		(*see)(m)
	}
}

func (f *Forwarder) message(resolver int, stream bool, asked time.Time, packet []byte) Message {
	r := &f.resolvers[resolver]
	return Message{Resolver: r.at.Addr, Stream: stream, Encrypted: r.tls != nil, Asked: asked, Packet: packet}
}
