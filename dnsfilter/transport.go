package dnsfilter

// Transport is the protocol between a client and the server.
type Transport uint8

// The transports. Over all but UDP, the address of the client can't be forged.
const (
	UDP   Transport = iota
	TCP             // DNS over TCP (RFC 7766)
	TLS             // DNS over TLS (RFC 7858)
	HTTPS           // DNS over HTTPS (RFC 8484)
	QUIC            // DNS over QUIC (RFC 9250)
)

// HTTPSPath is the path of DNS over HTTPS.
const HTTPSPath = "/dns-query"

// transportNames are the names of the transports, as in metrics.
var transportNames = [...]string{UDP: "udp", TCP: "tcp", TLS: "tls", HTTPS: "https", QUIC: "quic"} //nolint:gochecknoglobals // a constant table

func (t Transport) String() string { return transportNames[t] }

// isStream reports whether the transport is any other than UDP. Over such a transport, an answer may have any size, and
// the rate limit does not apply.
func (t Transport) isStream() bool { return t != UDP }

// isEncrypted reports whether the transport is encrypted. If so, answers are padded if the client requests it (RFC
// 7830).
func (t Transport) isEncrypted() bool { return t >= TLS }

// isTimed reports whether answers may have the option edns-tcp-keepalive (RFC 7828). HTTP and QUIC have idle timeouts
// of their own.
func (t Transport) isTimed() bool { return t == TCP || t == TLS }
