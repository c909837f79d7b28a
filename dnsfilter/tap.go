package dnsfilter

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Tap is shown the messages of a server: queries and answers of clients, over all transports and by [Server.ServeDNS],
// and the messages to and from the upstream. Zone transfers are left out. The goroutines that answer call the methods,
// several at once. So a method must return at once, and must not keep the bytes of a message. The messages are personal
// data.
type Tap interface {
	// Client is called for a query when it comes, and for its answer when the answer is about to be sent. If the action
	// is Drop, the answer is empty. If a query is not answered for want of room, there is no call for its answer.
	Client(m ClientMessage)
	// Upstream is called for a query to a resolver, and for the reply. It is called for upstreams that are a
	// [upstream.Forwarder].
	Upstream(m upstream.Message)
}

// ClientMessage is a query of a client, or the answer to one.
type ClientMessage struct {
	Transport Transport
	Client    netip.AddrPort // the port is 0 behind a proxy, and for transports without one
	Server    netip.AddrPort // the address where the query came, as far as known
	Asked     time.Time      // when the query came
	Answered  time.Time      // zero: this is the query

	Packet   []byte // in wire form
	Question []byte // only in answers: the question of the query, in wire form; nil if it had none
	Decided  Decided
}

// Decided is the decision of a list or a quorum on a query or on what its answer leads to: the first that blocks, or
// else the first that monitors or allows. The zero value means that there is none.
type Decided struct {
	By      string // the list or quorum
	Entry   string // as written in the list; of a policy zone the owner of the rule; empty: the decision has none
	Action  Action
	Trigger Trigger // of the policy zone that decided; for other lists QName or AnswerIP
	Zone    bool    // a policy zone decided
	Matched []byte  // the name in wire form, or the packed address; nil: unknown
}

// taps are the taps of a server.
type taps []Tap

// tapped is what taps are told of one query. It is nil if the server has no taps; then its methods do nothing.
type tapped struct {
	taps     taps
	message  ClientMessage
	answered bool
}

// asked tells taps of a query.
func (t *tapped) asked(m ClientMessage, all taps, packet []byte) {
	*t = tapped{taps: all, message: m}
	m.Packet = packet
	for _, tap := range all {
		tap.Client(m)
	}
}

// decided notes a decision about a name or an address.
func (t *tapped) decided(d *Decision, about []byte) {
	if t == nil || d.By() == "" || t.message.Decided.Action.Blocks() || t.message.Decided.By != "" && !d.Blocks() {
		return
	}
	decided := Decided{By: d.By(), Action: d.Action, Trigger: QName, Matched: bytes.Clone(about)}
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

// answer tells taps of the answer to a query, once. Without an answer, it tells them only if the query was dropped by a
// list.
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

// tap tells taps of a query on a connection or on the slow path. It returns nil without taps.
func (all taps) tap(m ClientMessage, packet []byte) *tapped {
	if len(all) == 0 {
		return nil
	}
	m.Asked = time.Now()
	t := new(tapped)
	t.asked(m, all, packet)
	return t
}

// tapUnpacked is tap for a query that another server has unpacked. It returns nil if the query can't be packed.
func (all taps) tapUnpacked(m ClientMessage, msg *dns.Msg) *tapped {
	packet, err := msg.Pack()
	if err != nil {
		return nil
	}
	return all.tap(m, packet)
}

// watch connects the taps with the upstreams.
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
