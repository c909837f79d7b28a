//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Parameters of the probe.
const (
	probeRate    = 20_000 // queries per second
	probeSockets = 8
	probeEvery   = 100 // one in probeEvery queries is for the added name, and another one for the removed name
)

// kind is the kind of a query, which determines the right answer.
type kind uint8

const (
	allowed kind = iota // name that is not on the list
	listed              // name that is on the list
	added               // name that the change adds
	removed             // name that the change removes
)

// probe sends queries to a server at a constant rate and checks each answer. The kernel gives the times of the answers,
// so that delays of the probe do not count as delays of the server.
type probe struct {
	conns [probeSockets]*net.UDPConn
	// slots has the time of each query by socket and message ID, in Unix nanoseconds. The last two bits are the kind of
	// the query. 0: answered, or not sent.
	slots [probeSockets][1 << 16]atomic.Int64
	names [4][][]byte // packed queries of each kind
	watch atomic.Pointer[watch]
	n     int // number of queries sent so far
}

// watch has the counters of one run of the probe.
type watch struct {
	sent, answered, wrong, longest atomic.Int64
	// blocked is the time of the first answer that blocks the added name. freed is the time of the first answer that
	// does not block the removed name. Both are in Unix nanoseconds; 0: no such answer yet.
	blocked, freed atomic.Int64
}

func newProbe() (*probe, error) {
	p := &probe{}
	p.watch.Store(&watch{})
	for i := range p.conns {
		conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(host), Port: port})
		if err != nil {
			return nil, err
		}
		p.conns[i] = conn
		raw, err := conn.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) // without it nothing is received below
		}); err != nil {
			return nil, err
		}
		_ = conn.SetReadBuffer(4 << 20) // as far as the system lets us
		go p.receive(i)
	}
	for i := range 1000 {
		p.names[allowed] = append(p.names[allowed], packQuery(allowedName(i)))
		p.names[listed] = append(p.names[listed], packQuery(blockedName(1000+i)))
	}
	return p, nil
}

func (p *probe) close() {
	for _, conn := range p.conns {
		_ = conn.Close() // nothing is left to lose
	}
}

// packQuery packs an A query for a name. Its message ID is 0.
func packQuery(name string) []byte {
	m := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		m = append(append(m, byte(len(label))), label...)
	}
	return append(m, 0, 0, 1, 0, 1)
}

func (p *probe) send() {
	k := listed
	switch {
	case p.n%probeEvery == 1:
		k = added
	case p.n%probeEvery == probeEvery/2+1:
		k = removed
	case p.n%2 == 0:
		k = allowed
	}
	at, names := p.n%probeSockets, p.names[k]
	m := names[p.n/2%len(names)]
	id := uint16(p.n / probeSockets)
	p.n++
	binary.BigEndian.PutUint16(m, id)
	p.watch.Load().sent.Add(1)
	p.slots[at][id].Store(time.Now().UnixNano()&^3 | int64(k))
	_, _ = p.conns[at].Write(m) // a query that was not sent counts as lost
}

// receive checks the answers on the socket with this index until the socket is closed.
func (p *probe) receive(index int) {
	m, control := make([]byte, 4096), make([]byte, 64)
	for {
		n, nc, _, _, err := p.conns[index].ReadMsgUDPAddrPort(m, control)
		if err != nil {
			return
		}
		const header = unix.SizeofCmsghdr
		if n < 12 || nc < header+16 {
			continue
		}
		slot := p.slots[index][binary.BigEndian.Uint16(m)].Swap(0)
		if slot == 0 {
			continue
		}
		came := int64(binary.NativeEndian.Uint64(control[header:]))*1e9 +
			int64(binary.NativeEndian.Uint64(control[header+8:]))
		p.watch.Load().look(kind(slot&3), slot&^3, came, m[3]&15)
	}
}

// look counts an answer, and whether it is right for its kind of query.
func (w *watch) look(k kind, sent, came int64, rcode byte) {
	w.answered.Add(1)
	for longest := w.longest.Load(); came-sent > longest && !w.longest.CompareAndSwap(longest, came-sent); {
		longest = w.longest.Load()
	}
	blocked, right := rcode == 3, rcode == 3 || rcode == 0
	switch k {
	case allowed:
		right = rcode == 0
	case listed:
		right = blocked
	case added:
		right = right && turned(&w.blocked, blocked, sent, came)
	case removed:
		right = right && turned(&w.freed, !blocked, sent, came)
	}
	if !right {
		w.wrong.Add(1)
	}
}

// turned reports whether an answer for the added or removed name is right. The argument changed says that the answer
// shows the change. The argument first has the time of the first answer that showed it, or 0. The answer to a query
// sent after that time is right only if it shows the change.
func turned(first *atomic.Int64, changed bool, sent, came int64) bool {
	if changed {
		first.CompareAndSwap(0, came)
		return true
	}
	at := first.Load()
	return at == 0 || sent < at
}

// run sends queries until one second after the change has taken effect. The function do makes the change and returns
// its time; run calls it after a second. If the function is nil, run sends queries for three seconds.
func (p *probe) run(ctx context.Context, add, remove string, do func() (time.Time, error)) (changed, error) {
	p.names[added], p.names[removed] = [][]byte{packQuery(add)}, [][]byte{packQuery(remove)}
	w := &watch{}
	p.watch.Store(w)
	var at time.Time
	var err error
	var doing sync.WaitGroup
	begin := time.Now()
	end := begin.Add(3 * time.Second)
	if do != nil {
		end = begin.Add(time.Minute)
		doing.Go(func() {
			time.Sleep(time.Second)
			at, err = do()
		})
	}
	for sent := 0; time.Now().Before(end) && ctx.Err() == nil; time.Sleep(500 * time.Microsecond) {
		for due := int(time.Since(begin).Seconds() * probeRate); sent < due; sent++ {
			p.send()
		}
		if done := max(w.blocked.Load(), w.freed.Load()); do != nil && w.blocked.Load() > 0 && w.freed.Load() > 0 {
			end = time.Unix(0, done).Add(time.Second)
		}
	}
	doing.Wait()
	time.Sleep(2 * time.Second) // for the last answers
	c := changed{longest: time.Duration(w.longest.Load()), lost: w.sent.Load() - w.answered.Load(), wrong: w.wrong.Load()}
	if do == nil || err != nil {
		return c, err
	}
	if w.blocked.Load() == 0 || w.freed.Load() == 0 {
		return c, fmt.Errorf("the change was not in effect within a minute")
	}
	c.after = time.Unix(0, max(w.blocked.Load(), w.freed.Load())).Sub(at)
	return c, ctx.Err()
}

// changed is the effect of a change: the time until it was in force, the longest answer time, and the numbers of lost
// and wrong answers.
type changed struct {
	after, longest time.Duration
	lost, wrong    int64
}

func (c changed) String() string {
	return fmt.Sprintf("%.2f s | %.1f ms | %s | %s", c.after.Seconds(), float64(c.longest.Microseconds())/1000,
		strconv.FormatInt(c.lost, 10), strconv.FormatInt(c.wrong, 10))
}
