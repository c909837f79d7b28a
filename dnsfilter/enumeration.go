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
	alarmEntries  = 200  // different entries that a client may be refused by in a window; each hour has its own
	windowSeconds = 3600 // seconds
	logSeconds    = 60   // seconds between two lines of the log

	sketchSets  = 256 // sketches that are kept at once: 4 times as many
	sketchWays  = 4
	sketchWords = 8   // of a sketch
	alarmBits   = 165 // that are set when alarmEntries entries were seen: 512 (1 - exp(-200/512))
)

// enumerationDetector notices clients that are refused unusually many different entries of lists with an order behind
// them (reason [Censored]): somebody may be finding out what is on the list. A client is an IPv4 address, or an IPv6
// network of 56 bits.
//
// It keeps a sketch of each client (linear counting): a hash of its address and, for this hour, a bit for each of 512
// parts of all entries, from which their number is estimated. Neither can be turned back into an address or a name;
// both are keyed at random, and gone with the process. The memory is fixed; of too many clients the ones that were
// refused least are forgotten.
type enumerationDetector struct {
	seed     maphash.Seed
	alarms   atomic.Uint64 // how often
	logged   atomic.Uint32 // when
	sketches [sketchSets][sketchWays]sketch
}

// sketch is of one client: 40 bits of its hash and the number of the window, then the bits.
type sketch struct {
	owner atomic.Uint64
	seen  [sketchWords]atomic.Uint64
}

func newEnumerationDetector() *enumerationDetector {
	return &enumerationDetector{seed: maphash.MakeSeed()}
}

// record counts a decision to block on the name asked for.
func (e *enumerationDetector) record(q *query, d *Decision, now uint32, log *slog.Logger) {
	name, size := q.name(), d.Match.KeySize()
	if d.rule.Reason == Censored && size > 0 && size <= len(name) {
		e.recordEntry(q, name[len(name)-size:], now, log)
	}
}

// recordReached does the same for a decision on what an answer leads to: any name can be made to lead to those that are
// tried out.
func (e *enumerationDetector) recordReached(q *query, d *Decision, now uint32, log *slog.Logger) {
	if d.rule.Reason != Censored {
		return
	}
	text := strings.TrimPrefix(d.Match.Entry(), "=")
	entry, err := blocklist.AppendName(nil, text)
	if err != nil { // an address
		entry = []byte(text)
	}
	e.recordEntry(q, entry, now, log)
}

func (e *enumerationDetector) recordEntry(q *query, key []byte, now uint32, log *slog.Logger) {
	entry := maphash.Bytes(e.seed, key) % (sketchWords * 64)
	s := e.sketch(q.client, now/windowSeconds)
	word, bit := &s.seen[entry/64], uint64(1)<<(entry%64)
	if word.Load()&bit != 0 || word.Or(bit)&bit != 0 || s.count() != alarmBits {
		return
	}
	n := e.alarms.Add(1)
	if last := e.logged.Load(); (last == 0 || now-last >= logSeconds) && e.logged.CompareAndSwap(last, now) {
		log.Warn("a client was refused by unusually many different entries: it may be finding out what is listed",
			slog.Int("within_an_hour", alarmEntries), slog.Uint64("alarms", n))
	}
}

// sketch returns that of a client, empty when a window begins.
func (e *enumerationDetector) sketch(client netip.Addr, window uint32) *sketch {
	hash := maphash.Comparable(e.seed, clientKey(client))
	owner := hash&^0xffffff | uint64(window)&0xffffff
	set := &e.sketches[hash%sketchSets]
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
	s.owner.Store(owner) // another core that does the same at this moment may lose a bit or two
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
