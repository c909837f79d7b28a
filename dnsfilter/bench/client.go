//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// protocol is a transport, with the tool that measures it and a function that connects.
type protocol struct {
	name string
	port int
	idle int // number of idle connections of each client
	tool func(b *bench, by protocol, file string, secs float64) (command []string)
	dial func(ctx context.Context, from *quic.Transport, port int) (exchange, error)
}

// exchange sends a query on an open connection, and waits for the answer, which it reads into buf. It returns an error
// unless the answer has rcode NOERROR.
type exchange func(ctx context.Context, query, buf []byte) error

// encrypted returns the protocols of the encrypted transports.
func encrypted() []protocol {
	return []protocol{
		{"DoT", tlsPort, 100, dnsperf("dot"), dialTLS},
		{"DoH, HTTP/2", httpsPort, 100, h2load, dialHTTP2},
		{"DoH, HTTP/3", httpsPort, 50, self, dialHTTP3},
		{"DoQ", tlsPort, 50, self, dialQUIC},
	}
}

func overUDP(port int) protocol { return protocol{name: "UDP", port: port, tool: dnsperf("udp")} }

func dnsperf(mode string) func(*bench, protocol, string, float64) []string {
	return func(_ *bench, by protocol, file string, secs float64) []string {
		return []string{
			"dnsperf", "-m", mode, "-s", host, "-p", strconv.Itoa(by.port), "-d", file, "-c", strconv.Itoa(keptConns),
			"-q", strconv.Itoa(outstanding), "-T", "1", "-t", "2", "-l", fmt.Sprint(secs),
		}
	}
}

// h2load returns the command that sends GET requests over HTTP/2. dnsperf can't be used, since it does not accept the
// answers of dnsdist, whose ID is 0.
func h2load(_ *bench, _ protocol, file string, secs float64) []string {
	duration := fmt.Sprintf("%.0fms", 1000*secs) // no fractions of a second
	return []string{"h2load", "-c", strconv.Itoa(keptConns), "-m", strconv.Itoa(outstanding / keptConns), "-D", duration, "-i", file + ".urls"}
}

// self returns the command with which this program itself sends the queries, since no packaged program does so over
// QUIC.
func self(b *bench, by protocol, file string, secs float64) []string {
	return []string{b.self, "-send", by.name, "-secs", fmt.Sprint(secs), file}
}

const exchangeTimeout = 5 * time.Second

// socket opens a UDP socket at a local address, for QUIC connections.
func socket(addr net.IP) (*quic.Transport, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: addr})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20) // as far as the system lets us
	return &quic.Transport{Conn: conn}, nil
}

func clientTLS(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}} //nolint:gosec // it is our own server
}

// dialStream opens a TCP connection with TLS, from the local address of a socket.
func dialStream(ctx context.Context, from *quic.Transport, port int, protocol string) (net.Conn, error) {
	at, _ := from.Conn.LocalAddr().(*net.UDPAddr)
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: at.IP}}, Config: clientTLS(protocol)}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// dialTLS opens a connection for DNS over TLS. Only one query at a time can be sent on it.
func dialTLS(ctx context.Context, from *quic.Transport, port int) (exchange, error) {
	conn, err := dialStream(ctx, from, port, "dot")
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, query, buf []byte) error {
		if err := conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
			return err
		}
		if _, err := conn.Write(framed(query)); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, buf[:2]); err != nil {
			return err
		}
		m := buf[:binary.BigEndian.Uint16(buf)]
		_, err := io.ReadFull(conn, m)
		return errors.Join(err, check(m))
	}, nil
}

func dialHTTP2(ctx context.Context, from *quic.Transport, port int) (exchange, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialStream(ctx, from, port, "h2") }
	t := http.Transport{Protocols: new(http.Protocols), DialTLSContext: dial}
	t.Protocols.SetHTTP2(true)
	c, err := t.NewClientConn(ctx, "https", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return overHTTP(c, port), nil
}

func dialHTTP3(ctx context.Context, from *quic.Transport, port int) (exchange, error) {
	conn, err := dialUDP(ctx, from, port, http3.NextProtoH3)
	if err != nil {
		return nil, err
	}
	return overHTTP((&http3.Transport{}).NewClientConn(conn), port), nil
}

func dialUDP(ctx context.Context, from *quic.Transport, port int, protocol string) (*quic.Conn, error) {
	return from.Dial(ctx, &net.UDPAddr{IP: net.ParseIP(host), Port: port}, clientTLS(protocol),
		&quic.Config{KeepAlivePeriod: 10 * time.Second})
}

// dialQUIC opens a connection for DNS over QUIC, with one stream per query (RFC 9250, section 4.2).
func dialQUIC(ctx context.Context, from *quic.Transport, port int) (exchange, error) {
	conn, err := dialUDP(ctx, from, port, "doq")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, query, buf []byte) error {
		stream, err := conn.OpenStreamSync(ctx)
		if err != nil {
			return err
		}
		_ = stream.SetDeadline(time.Now().Add(exchangeTimeout)) // it fails on closed streams only
		_, errWrite := stream.Write(framed(query))
		if err := errors.Join(errWrite, stream.Close()); err != nil {
			return err
		}
		n, err := io.ReadFull(stream, buf)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("reading an answer: %w", err)
		}
		return check(buf[2:max(n, 2)])
	}, nil
}

// overHTTP returns an exchange that sends queries by POST (RFC 8484) over c.
func overHTTP(c http.RoundTripper, port int) exchange {
	url := fmt.Sprintf("https://%s/dns-query", net.JoinHostPort(host, strconv.Itoa(port)))
	return func(ctx context.Context, query, buf []byte) error {
		ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(query))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/dns-message")
		resp, err := c.RoundTrip(r)
		if err != nil {
			return err
		}
		n, err := io.ReadFull(resp.Body, buf)
		_ = resp.Body.Close() // all is read
		if resp.StatusCode != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: %w", resp.Status, err)
		}
		return check(buf[:n])
	}
}

// framed returns a message with its length in front.
func framed(m []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...) }

// check returns an error unless the message is an answer with rcode NOERROR.
func check(m []byte) error {
	if len(m) < 12 || m[2]&0x80 == 0 || m[3]&15 != 0 {
		return errors.New("it is no answer")
	}
	return nil
}
