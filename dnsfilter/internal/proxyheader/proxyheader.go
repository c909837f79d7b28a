// Package proxyheader reads the header of the PROXY protocol, version 2, in which a load balancer names the client
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt). It allocates nothing per datagram.
package proxyheader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixed     = len(signature) + 4 // size of signature, version and command, family and protocol, length
	maxLength = 2048               // maximum size of the rest of a header; dnsdist and HAProxy send some hundred bytes
)

// Values of the fields version, command and family.
const (
	version2 = 0x2
	local    = 0x0 // command LOCAL: the proxy sends for itself, as in a health check
	proxy    = 0x1
	ipv4     = 0x1
	ipv6     = 0x2
)

// ErrHeader is the error for a missing or malformed header.
var ErrHeader = errors.New("a PROXY header of version 2 is needed")

// Parse splits a datagram into the PROXY header and the rest. It returns the client address in the header, or the zero
// value if the proxy sends for itself. It returns [ErrHeader] if the header is not valid.
func Parse(b []byte) (client netip.Addr, rest []byte, err error) {
	length, err := parseFixed(b)
	if err != nil || len(b) < fixed+length {
		return client, nil, ErrHeader
	}
	if client, err = parseAddress(b[:fixed+length]); err != nil {
		return client, nil, err
	}
	return client, b[fixed+length:], nil
}

// Read reads the header at the beginning of a connection, and no byte after it, within a time limit. It returns the
// same client address as Parse. It sets the read deadline, and removes it at the end.
func Read(conn net.Conn, within time.Duration) (client netip.Addr, err error) {
	if err = conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return client, err
	}
	b := make([]byte, fixed, fixed+36)
	if _, err = io.ReadFull(conn, b); err != nil {
		return client, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	length, err := parseFixed(b)
	if err != nil {
		return client, err
	}
	b = append(b, make([]byte, length)...)
	if _, err = io.ReadFull(conn, b[fixed:]); err != nil {
		return client, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if client, err = parseAddress(b); err != nil {
		return client, err
	}
	return client, conn.SetReadDeadline(time.Time{})
}

// parseFixed checks the fixed part at the beginning of a header. It returns the length of the rest, in bytes.
func parseFixed(b []byte) (length int, err error) {
	if len(b) < fixed || string(b[:len(signature)]) != signature || b[12]>>4 != version2 || b[12]&0xf > proxy {
		return 0, ErrHeader
	}
	if length = int(binary.BigEndian.Uint16(b[14:])); length > maxLength {
		return 0, ErrHeader
	}
	return length, nil
}

// parseAddress returns the source address in a complete header. It returns an error for addresses that are not IP
// addresses, since no access list would apply to them.
func parseAddress(b []byte) (client netip.Addr, err error) {
	addresses, family, transport := b[fixed:], b[13]>>4, b[13]&0xf
	switch {
	case b[12]&0xf == local:
		return client, nil
	case transport != 1 && transport != 2: // stream, datagram
	case family == ipv4 && len(addresses) >= 12:
		return netip.AddrFrom4([4]byte(addresses)), nil
	case family == ipv6 && len(addresses) >= 36:
		return netip.AddrFrom16([16]byte(addresses)).Unmap(), nil
	}
	return client, ErrHeader
}
