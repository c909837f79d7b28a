package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/dnsfilter"
)

// Limits of a probe.
const (
	maxProbed   = 8               // maximum number of server addresses that are probed
	probeTries  = 3               // attempts per name
	probeWait   = 2 * time.Second // how long to wait for an answer
	silenceWait = time.Second     // how long to wait if the action is drop, so that no answer is expected
	probeSize   = 1232            // maximum size of an answer over UDP, in bytes
)

// NewProber returns a prober for [subscribe.Receipts]. It queries the server over sockets, like any client, at the
// given listening addresses (*net.UDPAddr or *net.TCPAddr), at most eight. It queries the canaries at each address, and
// the samples only at the first.
//
// An answer is right if its rcode, records and extended errors are those that the policy and the store prescribe for
// this client. Names that must be blocked are queried with type A. Names that must not be blocked are queried with type
// ANY: the decision is the same, but the server answers such queries itself, so that no upstream learns the names that
// were removed from the list.
//
// A list counts as enforced only if it blocks its canary by itself, not just in a quorum, for all clients in all views.
// Otherwise the prober returns an error, and there is no receipt.
func NewProber(s *dnsfilter.Server, store *blocklist.Store, at ...net.Addr) subscribe.Prober {
	at = at[:min(len(at), maxProbed)]
	return func(ctx context.Context, p subscribe.Probe) (asked receipt.Asked, err error) {
		if len(at) == 0 {
			return asked, errors.New("there is no address to ask")
		}
		for i, addr := range at {
			probe, err := newProbe(ctx, s, store, addr, p)
			if err == nil {
				err = probe.run(ctx, p, i == 0, &asked)
				probe.conn.Close() //nolint:errcheck // it was only used for queries
			}
			if err != nil {
				return asked, fmt.Errorf("asking %s over %s: %w", addr, addr.Network(), err)
			}
		}
		return asked, nil
	}
}

// probe probes the server at one address.
type probe struct {
	server *dnsfilter.Server
	store  *blocklist.Store
	policy dnsfilter.Policy
	view   dnsfilter.View // view that applies to queries from this host
	list   string
	conn   *dns.Conn
	stream bool
	client netip.Addr
	canary dnsfilter.Decision // decision on the canary of the list
}

func newProbe(ctx context.Context, s *dnsfilter.Server, store *blocklist.Store, at net.Addr, p subscribe.Probe) (*probe,
	error,
) {
	b := &probe{server: s, store: store, policy: s.Policy(), list: p.List, stream: at.Network() == "tcp"}
	canary, err := blocklist.ParseName(p.Test)
	if err == nil {
		err = b.checkEnforced([]byte(canary))
	}
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: probeWait}
	conn, err := dialer.DialContext(ctx, at.Network(), reachable(at))
	if err != nil {
		return nil, err
	}
	b.conn = &dns.Conn{Conn: conn, UDPSize: probeSize}
	if from, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
		b.client = from.Addr().Unmap().WithZone("")
	}
	b.view = b.policy.View(b.client)
	b.canary = b.decide([]byte(canary))
	return b, nil
}

// reachable returns an address at which this host can reach a listener: for an unspecified address, loopback.
func reachable(at net.Addr) string {
	a, err := netip.ParseAddrPort(at.String())
	if err == nil && a.Addr().IsUnspecified() {
		loopback := netip.IPv6Loopback()
		if a.Addr().Is4() {
			loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		return netip.AddrPortFrom(loopback, a.Port()).String()
	}
	return at.String()
}

// checkEnforced returns an error unless the list blocks its canary by itself, for all clients.
func (b *probe) checkEnforced(canary []byte) error {
	general := b.policy.View(netip.Addr{})
	for _, v := range append([]dnsfilter.View{general}, b.policy.Views...) {
		d := v.Decide(b.store, canary)
		if d.Blocks() && d.By() == b.list {
			continue
		}
		who := "for clients in general"
		if len(v.Clients) > 0 {
			who = fmt.Sprintf("for %s", v.Clients[0])
		}
		if d.By() != b.list && d.By() != "" {
			return fmt.Errorf("%w by itself %s: %s decides about its canary", subscribe.ErrNotEnforced, who, d.By())
		}
		i := slices.IndexFunc(v.Rules, func(r dnsfilter.Rule) bool { return r.List == b.list })
		switch {
		case i < 0:
			return fmt.Errorf("%w %s: no rule is for it", subscribe.ErrNotEnforced, who)
		case !v.Rules[i].Action.Blocks():
			return fmt.Errorf("%w %s: its action is %s", subscribe.ErrNotEnforced, who, v.Rules[i].Action)
		}
		return errors.New("the canary is not in force")
	}
	return nil
}

func (b *probe) decide(name []byte) dnsfilter.Decision {
	return b.view.Decide(b.store, name)
}

// run sends the queries, and counts the right answers in the argument asked. It stops at the first name without a right
// answer. The samples of entries are queried only if sample is true.
func (b *probe) run(ctx context.Context, p subscribe.Probe, sample bool, asked *receipt.Asked) error {
	if err := b.expect(ctx, p.Test, true, &asked.Test); err != nil {
		return fmt.Errorf("the canary: %w", err)
	}
	if err := b.expect(ctx, p.Gone, false, &asked.Gone); err != nil {
		return fmt.Errorf("the canary of the serial before: %w", err)
	}
	if !sample {
		return nil
	}
	for _, e := range p.Added {
		if err := b.expectEntry(ctx, e, true, &asked.Added); err != nil {
			return fmt.Errorf("a name that came: %w", err)
		}
	}
	for _, e := range p.Removed {
		if err := b.expectEntry(ctx, e, false, &asked.Removed); err != nil {
			return fmt.Errorf("a name that went: %w", err)
		}
	}
	return nil
}

// expectEntry queries the name of an entry and checks the answer, unless another list decides on the name. If it gets a
// right answer, it adds one to the argument count.
func (b *probe) expectEntry(ctx context.Context, e blocklist.Entry, blocked bool, count *int) error {
	name, ok := e.Name()
	if !ok {
		return nil
	}
	held := slices.ContainsFunc(b.store.AppendMatches(nil, []byte(name)),
		func(m blocklist.Match) bool { return m.List == b.list })
	d := b.decide([]byte(name))
	switch by := d.By(); {
	case blocked && !held:
		return errors.New("it is not in force")
	case blocked && (by != b.list || !d.Blocks()), !blocked && (held || by != ""):
		return nil
	}
	return b.expect(ctx, name.String(), blocked, count)
}

// expect queries a name until the answer is right, at most probeTries times. If it gets a right answer, it adds one to
// the argument count.
func (b *probe) expect(ctx context.Context, name string, blocked bool, count *int) (err error) {
	for try := range probeTries {
		if try > 0 {
			sleepFor(ctx, probeWait/4)
		}
		if err = b.ask(ctx, name, blocked); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err == nil {
		*count++
	}
	return err
}

func sleepFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ask sends one query, and returns an error unless the answer is right. The error does not contain the name.
func (b *probe) ask(ctx context.Context, name string, blocked bool) error {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	if !blocked {
		m.Question[0].Qtype = dns.TypeANY
	}
	m.SetEdns0(probeSize, false)
	byList, silence, err := b.render(m, blocked)
	if err != nil {
		return err
	}
	reply, err := b.exchange(ctx, m, silence && blocked)
	if silence && blocked && errors.Is(err, errSilence) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.judge(m, reply, byList, blocked)
}

// judge returns an error if the reply to m is wrong. The argument byList is the answer by which the list blocks.
func (b *probe) judge(m, reply, byList *dns.Msg, blocked bool) error {
	switch {
	case reply.Truncated:
		return errors.New("the answer was cut short, by a limit of answers perhaps")
	case reply.Rcode == dns.RcodeRefused && slices.Contains(extended(reply), dns.ExtendedErrorCodeProhibited):
		return fmt.Errorf("%s is not served: name it in clients", b.client)
	case blocked && !sameAnswer(reply, byList):
		return fmt.Errorf("it is not blocked as the policy says: %s", dns.RcodeToString[reply.Rcode])
	case !blocked && sameAnswer(reply, byList) && !b.special(m, reply):
		return fmt.Errorf("it is blocked: %s", dns.RcodeToString[reply.Rcode])
	}
	return nil
}

// render returns the expected answer for a name that must be blocked. For a name that must not be blocked, it returns
// the answer by which the list would block. The result silence is true if the action is drop, so that there is no
// answer.
func (b *probe) render(m *dns.Msg, blocked bool) (answer *dns.Msg, silence bool, err error) {
	if !blocked {
		answer, err = b.canary.Answer(m, b.stream)
		return answer, answer == nil, err
	}
	d, answer, err := b.server.Expect(m, b.client, b.stream)
	if err == nil && !d.Blocks() {
		err = errors.New("it is not in force")
	}
	return answer, answer == nil, err
}

// special reports whether the reply is the answer of a special-use zone. Without extended errors, that answer can be
// the same as the answer for a blocked name.
func (b *probe) special(m, reply *dns.Msg) bool {
	d, answer, err := b.server.Expect(m, b.client, b.stream)
	return err == nil && !d.Blocks() && answer != nil && sameAnswer(reply, answer)
}

// errSilence is the error of exchange if no answer comes in time.
var errSilence = errors.New("no answer came")

// exchange sends a query and waits for its answer. The wait is shorter if silence is expected.
func (b *probe) exchange(ctx context.Context, m *dns.Msg, silence bool) (*dns.Msg, error) {
	wait := probeWait
	if silence {
		wait = silenceWait
	}
	deadline := time.Now().Add(wait)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	if err := errors.Join(b.conn.SetDeadline(deadline), b.conn.WriteMsg(m)); err != nil {
		return nil, err
	}
	for {
		reply, err := b.conn.ReadMsg()
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			return nil, errSilence
		}
		if err != nil {
			return nil, err
		}
		if reply.Id == m.Id && len(reply.Question) == 1 && reply.Question[0] == m.Question[0] {
			return reply, nil
		}
	}
}

// sameAnswer reports whether two answers have the same rcode, records and extended errors.
func sameAnswer(a, b *dns.Msg) bool {
	return b != nil && a.Rcode == b.Rcode && sameRecords(a.Answer, b.Answer) && sameRecords(a.Ns, b.Ns) &&
		slices.Equal(extended(a), extended(b))
}

func sameRecords(a, b []dns.RR) bool {
	return slices.EqualFunc(a, b, func(x, y dns.RR) bool { return x.String() == y.String() })
}

// extended returns the info codes of the extended errors of an answer.
func extended(m *dns.Msg) (codes []uint16) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				codes = append(codes, e.InfoCode)
			}
		}
	}
	return codes
}
