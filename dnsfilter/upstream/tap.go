package upstream

import (
	"net/netip"
	"time"
)

// Message is a query to a resolver, or its reply.
type Message struct {
	Resolver  netip.AddrPort
	Stream    bool      // over TCP or TLS
	Encrypted bool      // over TLS
	Asked     time.Time // when the query was sent
	Answered  time.Time // when the reply came; zero: this is the query
	Packet    []byte    // in wire form, as sent or received
}

// Tap sets a function that sees each query to a resolver, and each reply that matches one; nil: none. The function is
// called with a lock held, by several goroutines at once. It must return at once, must not call the forwarder, and must
// not keep the packet.
func (f *Forwarder) Tap(see func(Message)) {
	if see == nil {
		f.tap.Store(nil)
		return
	}
	f.tap.Store(&see)
}

// tapQuery shows a query to the tap, if there is one.
func (f *Forwarder) tapQuery(resolver int, stream bool, packet []byte) {
	if see := f.tap.Load(); see != nil {
		(*see)(f.message(resolver, stream, f.now(), packet))
	}
}

// tapReply shows a reply to the tap, if there is one.
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
