package dnsfilter

import (
	"context"
	"errors"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

// Serve answers queries on the listeners until ctx ends. Then it finishes pending queries (for at most half a second)
// and returns nil. During that time it accepts no new connections, closes idle ones, and still answers over UDP. At the
// end, it answers the queries that are left in the sockets, as far as that needs no upstream. Serve returns early, with
// an error, if a listener fails. The listeners are always closed.
//
// On Linux, Serve raises GOMAXPROCS by one for each processor while it runs, since each has a thread that waits for
// datagrams.
func (s *Server) Serve(ctx context.Context, l *Listeners) error {
	if len(l.UDP)+len(l.TCP) == 0 {
		return errors.New("serving: there is no address to listen on")
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, conns := range socketsByWorker(l.UDP) {
		g.Go(func() error { return s.serveUDP(ctx, conns, l) })
	}
	for _, t := range l.TCP {
		g.Go(func() error { return s.ServeStreams(ctx, t, TCP, nil) })
	}
	return g.Wait()
}

// ServeDNS implements [dns.Handler], for servers of other transports.
func (s *Server) ServeDNS(w dns.ResponseWriter, msg *dns.Msg) {
	defer s.recoverPanic()
	if msg.Response {
		return
	}
	s.shared.queries.Add(1)
	client := w.RemoteAddr()
	how, counted := UDP, &s.shared.answers
	if client.Network() != "udp" {
		how, counted = TCP, &s.streamed[TCP]
	}
	c := s.current.Load()
	opt := ednsRequest{structured: c.policy.wantsStructured(msg), nsid: requests(msg, dns.EDNS0NSID)}
	q := &query{counters: &s.shared}
	if len(c.taps) > 0 {
		from := ClientMessage{Transport: how, Client: addrPort(client), Server: addrPort(w.LocalAddr())}
		q.tap = c.taps.tapUnpacked(from, msg)
	}
	reply := s.respond(msg, q, opt, how, clientAddr(client))
	q.tap.answer(q.question, reply)
	if len(reply) > 0 {
		counted.count(reply)
		_, _ = w.Write(reply) // the client may have gone away
	}
}
