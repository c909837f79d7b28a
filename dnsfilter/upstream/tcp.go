package upstream

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/miekg/dns"
)

// askTCP gets an answer that did not fit into a datagram: from the resolver that said so, else from the others.
func (f *Forwarder) askTCP(resolver int, query []byte, to Receiver, idle func()) {
	defer idle()
	select {
	case f.tcp <- struct{}{}:
		defer func() { <-f.tcp }()
	default:
		to.Answer(nil, errBusy)
		return
	}
	var last error
	for i := range f.resolvers {
		reply, err := exchangeTCP(f.resolvers[(resolver+i)%len(f.resolvers)].addr.String(), query)
		if err == nil {
			to.Answer(reply, nil)
			return
		}
		last = err
	}
	to.Answer(nil, last)
}

// exchangeTCP sends a packed query and waits for its reply.
func exchangeTCP(at string, query []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tryWithin)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, timely(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to lose
	if err := conn.SetDeadline(time.Now().Add(tryWithin)); err != nil {
		return nil, err
	}
	framed := dns.Conn{Conn: conn}
	if _, err := framed.Write(query); err != nil {
		return nil, timely(err)
	}
	reply, err := framed.ReadMsgHeader(nil)
	if err != nil {
		return nil, timely(err)
	}
	if string(reply[:2]) != string(query[:2]) || !answers(reply, query) {
		return nil, errMismatch
	}
	return reply, nil
}

// timely gives every way of running out of time the same error.
func timely(err error) error {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return context.DeadlineExceeded
	}
	return err
}
