package dnsfilter

import (
	"hash/maphash"
	"log/slog"
	"math"
	"math/bits"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/argine-dns/argine/blocklist"
)

const (
	alarmAt     = 200  // different entries that a client may be refused by in a window; each hour has its own
	alarmWindow = 3600 // seconds
	alarmLog    = 60   // seconds between two lines of the log

	alarmSets  = 256 // sketches that are kept at once: 4 times as many
	alarmWays  = 4
	alarmWords = 8   // of a sketch
	alarmBits  = 165 // that are set when alarmAt entries were seen: 512 (1 - exp(-200/512))
)

// alarm notices clients that are refused unusually many different entries of lists with an order behind them (reason
// [Censored]): somebody may be finding out what is on the list. A client is an IPv4 address, or an IPv6 network of 56 bits.
//
// What is kept of a client is a hash of its address and, for this hour, a bit for each of 512 parts of all entries, from
// which their number is estimated. Neither can be turned back into an address or a name; both are keyed at random, and gone with
// the process. The memory is fixed; of too many clients the ones that were refused least are forgotten.
type alarm struct {
	seed     maphash.Seed
	raised   atomic.Uint64 // how often
	logged   atomic.Uint32 // when
	sketches [alarmSets][alarmWays]sketch
}

// sketch is of one client: 40 bits of its hash and the number of the window, then the bits.
type sketch struct {
	owner atomic.Uint64
	seen  [alarmWords]atomic.Uint64
}

func newAlarm() *alarm { return &alarm{seed: maphash.MakeSeed()} }

// note takes a decision on the name asked for that blocks into account.
func (a *alarm) note(q *query, d *Decision, now uint32, log *slog.Logger) {
	name, size := q.name(), d.Match.KeySize()
	if d.rule.Reason == Censored && size > 0 && size <= len(name) {
		a.noteEntry(q, name[len(name)-size:], now, log)
	}
}

// noteReached does the same for a decision on what an answer leads to: any name can be made to lead to those that are tried out.
func (a *alarm) noteReached(q *query, d *Decision, now uint32, log *slog.Logger) {
	if d.rule.Reason != Censored {
		return
	}
	text := strings.TrimPrefix(d.Match.Entry(), "=")
	entry, err := blocklist.AppendName(nil, text)
	if err != nil { // an address
		entry = []byte(text)
	}
	a.noteEntry(q, entry, now, log)
}

func (a *alarm) noteEntry(q *query, key []byte, now uint32, log *slog.Logger) {
	entry := maphash.Bytes(a.seed, key) % (alarmWords * 64)
	s := a.sketch(q.client, now/alarmWindow)
	word, bit := &s.seen[entry/64], uint64(1)<<(entry%64)
	if word.Load()&bit != 0 || word.Or(bit)&bit != 0 || s.count() != alarmBits {
		return
	}
	n := a.raised.Add(1)
	if last := a.logged.Load(); (last == 0 || now-last >= alarmLog) && a.logged.CompareAndSwap(last, now) {
		log.Warn("a client was refused by unusually many different entries: it may be finding out what is listed",
			slog.Int("within_an_hour", alarmAt), slog.Uint64("alarms", n))
	}
}

// sketch returns that of a client, empty when a window begins.
func (a *alarm) sketch(client netip.Addr, window uint32) *sketch {
	hash := maphash.Comparable(a.seed, household(client))
	owner := hash&^0xffffff | uint64(window)&0xffffff
	set := &a.sketches[hash%alarmSets]
	at, least := 0, math.MaxInt
	for i := range set {
		held := set[i].owner.Load()
		if held == owner {
			return &set[i]
		}
		n := 0 // of windows that are over
		if held&0xffffff == owner&0xffffff {
			n = set[i].count()
		}
		if n < least {
			at, least = i, n
		}
	}
	s := &set[at]
	s.owner.Store(owner) // whoever does the same on another core at this moment loses a bit or two
	for i := range s.seen {
		s.seen[i].Store(0)
	}
	return s
}

func (s *sketch) count() (n int) {
	for i := range s.seen {
		n += bits.OnesCount64(s.seen[i].Load())
	}
	return n
}
