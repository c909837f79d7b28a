package dnsfilter

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Tap receives copies of the messages of a server: queries and answers of clients, over all transports and by
// [Server.ServeDNS], and the messages to and from the upstream. Zone transfers are left out. Several goroutines call
// the methods at once, while they answer queries. So a method has to return soon, and must not keep the bytes of a
// message. The messages are personal data.
type Tap interface {
	// Client is called for a query when it arrives, and again when its answer is about to be sent. If the action is
	// Drop, the second call has an empty packet. If a query is dropped because of a limit, there is no second call.
	Client(m ClientMessage)
	// Upstream is called for each query to a resolver, and for each reply, if the upstream is an [upstream.Forwarder].
	Upstream(m upstream.Message)
}

// ClientMessage is a query of a client, or the answer to one.
type ClientMessage struct {
	Transport Transport
	// address of the client; the port is 0 behind a proxy, and over transports other than UDP and TCP
	Client   netip.AddrPort
	Server   netip.AddrPort // address at which the query arrived; zero: unknown
	Asked    time.Time      // time at which the query arrived
	Answered time.Time      // time at which the answer was ready; zero: the message is a query

	Packet   []byte // the query or the answer, in wire form
	Question []byte // for answers: the question of the query, in wire form; nil if it had none
	Decided  Decided
}

// Decided is the decision of a list or a quorum on a query, or on a target in its answer. It is the first decision that
// blocks or, if none blocks, the first that monitors or allows. The zero value means that there was no decision.
type Decided struct {
	By      string // name of the list or quorum
	Entry   string // deciding entry as written in the list; for a policy zone, the owner of the rule; empty: no entry
	Action  Action
	Trigger Trigger // trigger of the policy zone that decided; for other lists, QName or AnswerIP
	Zone    bool    // a policy zone decided
	Matched []byte  // the name in wire form, or the packed address, that the decision is about; nil: unknown
}

// taps are the taps of a server.
type taps []Tap

// tapped has what taps need to know about one query. It is nil if the server has no taps; then its methods do nothing.
type tapped struct {
	taps     taps
	message  ClientMessage
	answered bool
}

// asked sets t to a new query, and passes the query to the taps. The argument m describes the query, and packet has its
// bytes.
func (t *tapped) asked(m ClientMessage, all taps, packet []byte) {
	*t = tapped{taps: all, message: m}
	m.Packet = packet
	for _, tap := range all {
		tap.Client(m)
	}
}

// decided stores a decision, which the taps get together with the answer. A decision that blocks replaces one that does
// not; otherwise the first one is kept. The argument matched is the name in wire form, or the packed address, that the
// decision is about.
func (t *tapped) decided(d *Decision, matched []byte) {
	if t == nil || d.By() == "" || t.message.Decided.Action.Blocks() || t.message.Decided.By != "" && !d.Blocks() {
		return
	}
	decided := Decided{By: d.By(), Action: d.Action, Trigger: QName, Matched: bytes.Clone(matched)}
	switch trigger, owner, zone := d.Trigger(); {
	case zone:
		decided.Zone, decided.Trigger, decided.Entry, decided.Matched = true, trigger, owner, nil
		if trigger == QName {
			decided.Matched = bytes.Clone(d.hit.name)
		}
	case d.Action == Divert:
	default:
		if decided.Entry = d.Match.Entry(); d.Match.Scope == blocklist.ScopeIP {
			decided.Trigger = AnswerIP
		}
	}
	t.message.Decided = decided
}

// answer passes the answer to a query to the taps, at most once. It passes an empty answer only if a list has dropped
// the query.
func (t *tapped) answer(question, m []byte) {
	if t == nil || t.answered || len(m) == 0 && t.message.Decided.Action != Drop {
		return
	}
	t.answered = true
	out := t.message
	out.Answered, out.Question, out.Packet = time.Now(), question, m
	for _, tap := range t.taps {
		tap.Client(out)
	}
}

// tap passes a query that arrived on a connection, or that is on the slow path, to the taps. It returns what the taps
// need for the answer later, or nil if there are no taps.
func (all taps) tap(m ClientMessage, packet []byte) *tapped {
	if len(all) == 0 {
		return nil
	}
	m.Asked = time.Now()
	t := new(tapped)
	t.asked(m, all, packet)
	return t
}

// tapUnpacked does the same as [taps.tap] for a query that another server has unpacked. It also returns nil if the
// query can't be packed.
func (all taps) tapUnpacked(m ClientMessage, msg *dns.Msg) *tapped {
	packet, err := msg.Pack()
	if err != nil {
		return nil
	}
	return all.tap(m, packet)
}

// watch makes the upstreams pass their messages to the taps.
func (all taps) watch(upstreams []*resolvers) {
	var see func(upstream.Message)
	if len(all) > 0 {
		see = func(m upstream.Message) {
			for _, tap := range all {
				tap.Upstream(m)
			}
		}
	}
	for _, r := range upstreams {
		if r.reports != nil {
			r.reports.Tap(see)
		}
	}
}
