package dnstap

import (
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// The messages are written field by field, since the goroutines that answer do it, and the types that protoc generates
// take an allocation for each field. The numbers are those of dnstap.proto.

// Field numbers of the message Dnstap.
const (
	fieldIdentity = 1
	fieldVersion  = 2
	fieldMessage  = 14
	fieldType     = 15
)

// Field numbers of the message Message.
const (
	messageType       = 1
	messageFamily     = 2
	messageProtocol   = 3
	messageQueryAddr  = 4
	messageAnswerAddr = 5
	messageQueryPort  = 6
	messageAnswerPort = 7
	messageQuerySec   = 8
	messageQueryNsec  = 9
	messageQuery      = 10
	messageAnswerSec  = 12
	messageAnswerNsec = 13
	messageAnswer     = 14
	messagePolicy     = 15
)

// Field numbers of the message Policy.
const (
	policyType   = 1
	policyRule   = 2
	policyAction = 3
	policyMatch  = 4
	policyValue  = 5
)

// Values of Message.Type.
const (
	clientQuery     = 5
	clientAnswer    = 6
	forwarderQuery  = 7
	forwarderAnswer = 8
)

// Values of Message.SocketFamily (inet, inet6) and Message.SocketProtocol.
const (
	inet, inet6 = 1, 2
	udp         = 1
	tcp         = 2
	dot         = 3
)

// protocols are the values of SocketProtocol by transport.
var protocols = [...]uint64{dnsfilter.UDP: udp, dnsfilter.TCP: tcp, dnsfilter.TLS: dot, dnsfilter.HTTPS: 4, dnsfilter.QUIC: 7} //nolint:gochecknoglobals // a constant table

// actions has the values of Policy.Action. The schema has no value for refused.
var actions = map[dnsfilter.Action]uint64{ //nolint:gochecknoglobals // a constant table
	dnsfilter.Pass: 3, dnsfilter.Monitor: 3, dnsfilter.NXDomain: 1, dnsfilter.NoData: 2, dnsfilter.Drop: 4,
	dnsfilter.Sinkhole: 6, dnsfilter.Divert: 6, dnsfilter.LocalData: 6, dnsfilter.TCPOnly: 5,
}

// matches has the values of Policy.Match by trigger.
var matches = [...]uint64{ //nolint:gochecknoglobals // a constant table
	dnsfilter.ClientIP: 2, dnsfilter.QName: 1, dnsfilter.AnswerIP: 3, dnsfilter.NSDName: 4, dnsfilter.NSIP: 5,
}

// exchange has the fields that dnstap messages about clients and about the upstream have in common.
type exchange struct {
	kind           uint64 // Message.Type of a query; the Type of an answer is one more
	protocol       uint64
	asker, asked   netip.AddrPort
	at, answeredAt time.Time // times of the query and of its answer; answeredAt is zero in a query
	packet         []byte
}

// appendClient appends the dnstap Message for a message from or to a client.
func appendClient(b []byte, m *dnsfilter.ClientMessage) []byte {
	b = (&exchange{clientQuery, protocols[m.Transport], m.Client, m.Server, m.Asked, m.Answered, m.Packet}).append(b)
	if m.Decided.By != "" {
		b = appendPolicy(b, &m.Decided)
	}
	return b
}

// appendUpstream appends the dnstap Message for a message to or from an upstream resolver.
func appendUpstream(b []byte, m *upstream.Message) []byte {
	protocol := uint64(udp)
	switch {
	case m.Encrypted:
		protocol = dot
	case m.Stream:
		protocol = tcp
	}
	return (&exchange{forwarderQuery, protocol, netip.AddrPort{}, m.Resolver, m.Asked, m.Answered, m.Packet}).append(b)
}

// append appends the fields of the exchange to b.
func (e *exchange) append(b []byte) []byte {
	kind, field := e.kind, protowire.Number(messageQuery)
	if !e.answeredAt.IsZero() {
		kind, field = kind+1, messageAnswer
	}
	b = appendNumber(b, messageType, kind)
	if known := e.known(); known.Is4() {
		b = appendNumber(b, messageFamily, inet)
	} else if known.Is6() {
		b = appendNumber(b, messageFamily, inet6)
	}
	b = appendNumber(b, messageProtocol, e.protocol)
	b = appendEnd(b, e.asker, messageQueryAddr, messageQueryPort)
	b = appendEnd(b, e.asked, messageAnswerAddr, messageAnswerPort)
	b = appendTime(b, e.at, messageQuerySec, messageQueryNsec)
	if !e.answeredAt.IsZero() {
		b = appendTime(b, e.answeredAt, messageAnswerSec, messageAnswerNsec)
	}
	if len(e.packet) > 0 {
		b = appendBytes(b, field, e.packet)
	}
	return b
}

// known returns the address of the asker, or that of the asked server if the asker is unknown. The family of this
// address is the socket family of the message.
func (e *exchange) known() netip.Addr {
	if e.asker.Addr().IsValid() {
		return e.asker.Addr()
	}
	return e.asked.Addr()
}

// appendPolicy appends the Policy for a decision. If a policy zone has decided, the field rule of the Policy is the
// owner name in wire form. If another list has decided, the field has the name of the list and the entry.
func appendPolicy(b []byte, d *dnsfilter.Decided) []byte {
	kind, rule := "blocklist", d.By
	if d.Zone {
		kind = "RPZ"
	} else if d.Entry != "" {
		rule += " " + d.Entry
	}
	if owner, err := blocklist.ParseName(d.Entry + "." + d.By); d.Zone && err == nil {
		rule = string(owner)
	}
	size := protowire.SizeBytes(len(kind)) + protowire.SizeBytes(len(rule)) + protowire.SizeBytes(len(d.Matched)) + 7
	action, ok := actions[d.Action]
	if !ok {
		size -= 2
	}
	if d.Matched == nil {
		size -= 1 + protowire.SizeBytes(0)
	}
	b = protowire.AppendTag(b, messagePolicy, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendBytes(b, policyType, []byte(kind))
	b = appendBytes(b, policyRule, []byte(rule))
	if ok {
		b = appendNumber(b, policyAction, action)
	}
	b = appendNumber(b, policyMatch, matches[d.Trigger])
	if d.Matched != nil {
		b = appendBytes(b, policyValue, d.Matched)
	}
	return b
}

// appendEnd appends the address and the port of one end of an exchange to b. The arguments address and port are their
// field numbers. It leaves out an address or port that is unknown.
func appendEnd(b []byte, end netip.AddrPort, address, port protowire.Number) []byte {
	if a := end.Addr(); a.IsValid() && !a.IsUnspecified() {
		packed := a.As16()
		part := packed[:]
		if a.Is4() {
			part = packed[12:]
		}
		b = appendBytes(b, address, part)
	}
	if end.Port() > 0 {
		b = appendNumber(b, port, uint64(end.Port()))
	}
	return b
}

func appendTime(b []byte, at time.Time, sec, nsec protowire.Number) []byte {
	b = appendNumber(b, sec, uint64(at.Unix()))
	b = protowire.AppendTag(b, nsec, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, uint32(at.Nanosecond()))
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}
